"""Brand Day: a serverless promotion and flash-sale backend."""
