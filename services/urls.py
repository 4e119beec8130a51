"""URLs of services."""

from kaivox.api.routers import Router
from services.views import ServiceViewSet

router = Router()
router.register("services", ServiceViewSet, basename="service")
urlpatterns = router.urls
