"""Where the pages for people are."""

from django.contrib.auth.views import LoginView, LogoutView
from django.templatetags.static import static
from django.urls import path, re_path
from django.views.generic import RedirectView

from kaivox.pages import developers, integrations, sessions, two_factor


class Favicon(RedirectView):
    """Browsers ask for it on pages that are not ours to link from, such as a JSON answer."""

    def get_redirect_url(self, *args: object, **kwargs: object) -> str:
        return static("kaivox/favicon.svg")


urlpatterns = [
    path("", developers.home, name="developers"),
    path("index.md", developers.home_text),
    path("llms.txt", developers.llms),
    path("status", developers.status, name="status"),
    path("docs", developers.docs_index, name="docs"),
    re_path(r"^docs/(?P<slug>[a-z0-9_/-]+)\.md$", developers.doc_text),
    re_path(r"^docs/(?P<slug>[a-z0-9_/-]+?)/?$", developers.doc, name="doc"),
    path("docs/", developers.docs_index),
    path("session/key", sessions.use_key, name="use-key"),
    path("session/key/forget", sessions.drop_key, name="drop-key"),
    path("session/business", sessions.act_as, name="act-as"),
    path("login", LoginView.as_view(template_name="settings/login.html"), name="login"),
    path("logout", LogoutView.as_view(next_page="/"), name="logout"),
    path("two-factor", two_factor.two_factor, name="two-factor"),
    path("settings", integrations.overview, name="settings"),
    path("settings/keys", integrations.keys, name="settings-keys"),
    path("settings/keys/<str:pk>/revoke", integrations.revoke_key, name="settings-revoke"),
    path("settings/webhooks", integrations.endpoints, name="settings-webhooks"),
    path("settings/webhooks/<str:pk>", integrations.endpoint, name="settings-endpoint"),
    path("settings/webhooks/<str:pk>/test", integrations.test_endpoint, name="settings-test"),
    path("settings/webhooks/<str:pk>/rotate", integrations.rotate_endpoint, name="settings-rotate"),
    path("settings/webhooks/<str:pk>/switch", integrations.switch_endpoint, name="settings-switch"),
    path("settings/webhooks/<str:pk>/delete", integrations.delete_endpoint, name="settings-delete"),
    path("settings/deliveries/<str:pk>", integrations.delivery, name="settings-delivery"),
    path(
        "settings/deliveries/<str:pk>/redeliver", integrations.redeliver, name="settings-redeliver"
    ),
    path("favicon.ico", Favicon.as_view()),
]
