"""URLs of the HTML pages."""

from django.contrib.auth.views import LoginView, LogoutView
from django.templatetags.static import static
from django.urls import path, re_path
from django.views.generic import RedirectView

from kaivox.pages import secret_scanning
from kaivox.pages.browsable import sessions
from kaivox.pages.docs import views as docs_views
from kaivox.pages.security import security_txt
from kaivox.pages.settings import members, request_log, two_factor, webhooks
from kaivox.pages.settings import views as settings_views


class Favicon(RedirectView):
    """Browsers request this path for documents without a link to an icon, such as JSON."""

    def get_redirect_url(self, *args: object, **kwargs: object) -> str:
        return static("kaivox/favicon.svg")


urlpatterns = [
    path("", docs_views.home, name="developers"),
    path("index.md", docs_views.home_text),
    path("llms.txt", docs_views.llms),
    path(".well-known/security.txt", security_txt),
    path("secret-scanning/github", secret_scanning.github),
    path("llms-full.txt", docs_views.llms_full),
    path("status", docs_views.status, name="status"),
    path("docs", docs_views.docs_index, name="docs"),
    path("docs/changelog.atom", docs_views.changelog_feed, name="changelog-feed"),
    path("docs/search.json", docs_views.search, name="docs-search"),
    re_path("^docs/reference/?$", docs_views.reference_index, name="reference"),
    re_path("^docs/reference/(?P<slug>[a-z-]+)/?$", docs_views.reference, name="reference-page"),
    re_path(r"^docs/(?P<slug>[a-z0-9_/-]+)\.md$", docs_views.doc_text),
    re_path(r"^docs/(?P<slug>[a-z0-9_/-]+?)/?$", docs_views.doc, name="doc"),
    path("docs/", docs_views.docs_index),
    path("session/key", sessions.use_key, name="use-key"),
    path("session/key/forget", sessions.drop_key, name="drop-key"),
    path("session/business", sessions.act_as, name="act-as"),
    path("login", LoginView.as_view(template_name="pages/settings/login.html"), name="login"),
    path("logout", LogoutView.as_view(next_page="/"), name="logout"),
    path("two-factor", two_factor.two_factor, name="two-factor"),
    path("invitations/<str:token>", members.invitation, name="invitation"),
    path("settings", settings_views.overview, name="settings"),
    path("settings/keys", settings_views.keys, name="settings-keys"),
    path("settings/keys/<str:pk>/revoke", settings_views.revoke_key, name="settings-revoke"),
    path("settings/keys/<str:pk>/rotate", settings_views.rotate_key, name="settings-rotate-key"),
    path("settings/requests", request_log.requests, name="settings-requests"),
    path("settings/requests/<str:pk>", request_log.logged_request, name="settings-request"),
    path("settings/members", members.members, name="settings-members"),
    path("settings/members/<str:pk>/role", members.change_role, name="settings-role"),
    path("settings/members/<str:pk>/remove", members.remove_member, name="settings-remove"),
    path(
        "settings/invitations/<str:pk>/revoke",
        members.revoke_invitation,
        name="settings-revoke-invitation",
    ),
    path("settings/reminders", settings_views.reminders, name="settings-reminders"),
    path("settings/sandbox", settings_views.sandbox, name="settings-sandbox"),
    path("settings/sandbox/create", settings_views.create_sandbox, name="settings-create-sandbox"),
    path("settings/sandbox/reset", settings_views.reset_sandbox, name="settings-reset-sandbox"),
    path("settings/webhooks", webhooks.endpoints, name="settings-webhooks"),
    path("settings/webhooks/<str:pk>", webhooks.endpoint, name="settings-endpoint"),
    path("settings/webhooks/<str:pk>/edit", webhooks.edit_endpoint, name="settings-edit"),
    path("settings/webhooks/<str:pk>/test", webhooks.test_endpoint, name="settings-test"),
    path("settings/webhooks/<str:pk>/rotate", webhooks.rotate_endpoint, name="settings-rotate"),
    path("settings/webhooks/<str:pk>/replay", webhooks.replay, name="settings-replay"),
    path("settings/webhooks/<str:pk>/switch", webhooks.switch_endpoint, name="settings-switch"),
    path("settings/webhooks/<str:pk>/delete", webhooks.delete_endpoint, name="settings-delete"),
    path("settings/deliveries/<str:pk>", webhooks.delivery, name="settings-delivery"),
    path("settings/deliveries/<str:pk>/redeliver", webhooks.redeliver, name="settings-redeliver"),
    path("favicon.ico", Favicon.as_view()),
]
