"""The admin site of KaiVox's staff."""

from django.contrib.admin import AdminSite


class KaivoxAdminSite(AdminSite):
    site_header = "KaiVox"
    site_title = "KaiVox"
    index_title = "Overview"
