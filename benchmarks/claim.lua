-- One claim of one unit: once per key, no more than the limit for each shopper, no more than there are.
-- KEYS: stock, claims by shopper, answers by idempotency key.  ARGV: shopper, idempotency key, limit.
-- Returns 1 (granted, now or before under this key), 0 (the limit is reached) or -1 (nothing is left).
local answered = redis.call('HGET', KEYS[3], ARGV[2])
if answered then return tonumber(answered) end
local owned = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
if owned >= tonumber(ARGV[3]) then return 0 end
if tonumber(redis.call('GET', KEYS[1]) or '0') < 1 then return -1 end
redis.call('DECR', KEYS[1])
redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
redis.call('HSET', KEYS[3], ARGV[2], '1')
return 1
