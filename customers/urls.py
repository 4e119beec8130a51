from customers.views import CustomerViewSet
from kaivox.api.routers import Router

router = Router()
router.register("customers", CustomerViewSet, basename="customer")

urlpatterns = router.urls
