"""The caller's own business."""

from django.urls import re_path

from kaivox.businesses.views import BusinessView

urlpatterns = [re_path(r"^business/?$", BusinessView.as_view(), name="business")]
