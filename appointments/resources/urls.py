"""URLs of resources."""

from appointments.resources.views import ResourceViewSet
from kaivox.api.routers import Router

router = Router()
router.register("resources", ResourceViewSet, basename="resource")
urlpatterns = router.urls
