from calls.views import CallViewSet
from kaivox.api.routers import Router

router = Router()
router.register("calls", CallViewSet, basename="call")

urlpatterns = router.urls
