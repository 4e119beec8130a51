"""The admin site's own class, so that every app registers with it by `admin.register` as usual."""

from django.contrib.admin import apps


class KaivoxAdminConfig(apps.AdminConfig):
    default = False  # it stands in the settings by name; "kaivox" alone means the app of that name
    default_site = "kaivox.admin_site.KaivoxAdminSite"
