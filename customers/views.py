from __future__ import annotations

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from customers import operations
from customers.filters import CustomerFilters
from customers.models import Customer
from customers.serializers import CustomerPatch, CustomerSerializer, NewCustomer
from kaivox.api.viewsets import ReadViewSet


class CustomerViewSet(ReadViewSet):
    """The people who call, book and come. A phone number belongs to one customer of a business."""

    scope = "customers"
    queryset = Customer.objects.all()
    shown_from = (Customer,)
    serializer_class = CustomerSerializer
    filterset_class = CustomerFilters
    ordering = "-created_at"
    ordering_fields = ("created_at", "name", "updated_at", "last_visit_at")
    body_serializers = {"create": NewCustomer, "partial_update": CustomerPatch}
    refusals = {
        "create": (operations.CustomerExists, operations.NotReachable),
        "partial_update": (operations.CustomerExists, operations.NotReachable),
    }

    def create(self, request: Request) -> Response:
        """Add a customer: `name`, and at least one of `phone` and `email`.

        The same phone again is 409 `customer_exists`; `meta.existing_id` says whose it is.
        """
        customer = operations.create_customer(
            business=self.business, now=timezone.now(), **self.body(NewCustomer)
        )
        location = request.build_absolute_uri(f"/api/v1/customers/{customer.pk}")
        return self.show(customer, status=201, headers={"Location": location})

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a customer. `metadata` is replaced as a whole."""
        customer = self.get_object()
        customer = operations.update_customer(
            business=self.business,
            customer_id=customer.pk,
            changes=self.body(CustomerPatch, partial=True),
            expected=self.if_match(customer),
            now=timezone.now(),
        )
        return self.show(customer)
