"""Import path that released migrations use; the field is in `kaivox.db.encrypted_fields`."""

from kaivox.db.encrypted_fields import EncryptedTextField

__all__ = ["EncryptedTextField"]
