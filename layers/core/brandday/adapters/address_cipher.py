"""Addresses under a KMS key: encrypted for one reward, and of no use with another.

API: https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html (up to 4 KB of plain text)
"""

from typing import TYPE_CHECKING

from brandday.adapters.aws import overload_translated

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


class AddressCipher:
    """Encrypts and decrypts with one key; both raise TemporarilyOverloaded when KMS is too busy."""

    def __init__(self, client: "KMSClient", key_id: str) -> None:
        self._client = client
        self._key_id = key_id

    def encrypt(self, reward_id: str, plain: bytes) -> bytes:
        """Return the ciphertext; it can only be decrypted for the same reward."""
        with overload_translated():
            answer = self._client.encrypt(KeyId=self._key_id, Plaintext=plain, EncryptionContext=_context(reward_id))
        return answer["CiphertextBlob"]

    def decrypt(self, reward_id: str, cipher: bytes) -> bytes:
        """Return the plain text; ClientError (InvalidCiphertextException) if it is another reward's."""
        with overload_translated():
            answer = self._client.decrypt(
                KeyId=self._key_id, CiphertextBlob=cipher, EncryptionContext=_context(reward_id)
            )
        return answer["Plaintext"]


def _context(reward_id: str) -> dict[str, str]:
    return {"reward": reward_id}
