"""Where voice providers send what they have to tell."""

from django.urls import re_path

from calls.voice_views import EngineView, VoiceView

urlpatterns = [
    re_path(r"^kaivox/(?P<slug>[-\w]+)/?$", EngineView.as_view(), name="voice-engine"),
    re_path(r"^(?P<provider>\w+)/(?P<slug>[-\w]+)/?$", VoiceView.as_view(), name="voice"),
]
