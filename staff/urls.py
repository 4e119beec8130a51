from kaivox.api.routers import Router
from staff.views import StaffViewSet

router = Router()
router.register("staff", StaffViewSet, basename="staff")
urlpatterns = router.urls
