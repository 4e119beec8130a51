"""The admin site's own class, so that every app registers with it by `admin.register` as usual."""

from django.contrib.admin.apps import AdminConfig


class KaivoxAdminConfig(AdminConfig):
    default_site = "kaivox.admin_site.KaivoxAdminSite"
