"""The admin's pages of businesses, their people and their keys."""

from kaivox.businesses.admin_base import BusinessOwnedAdmin, BusinessOwnedInline

__all__ = ["BusinessOwnedAdmin", "BusinessOwnedInline"]
