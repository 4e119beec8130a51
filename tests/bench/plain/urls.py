"""The only route of the plain stack."""

from rest_framework.routers import SimpleRouter

from tests.bench.plain.api import AppointmentViewSet

router = SimpleRouter(trailing_slash=False)
router.register("api/v1/appointments", AppointmentViewSet)
urlpatterns = router.urls
