"""API views of customers."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from customers import operations
from customers.filters import CustomerFilters
from customers.models import Customer
from customers.serializers import (
    CustomerPatch,
    CustomerSerializer,
    NewCustomer,
    NewCustomerQuery,
)
from kaivox.api.viewsets import ReadViewSet


class CustomerViewSet(ReadViewSet):
    """Customers of the business. A phone number belongs to one customer."""

    scope = "customers"
    queryset = Customer.objects.all()
    version_models = (Customer,)
    serializer_class = CustomerSerializer
    filterset_class = CustomerFilters
    ordering = "-created_at"
    ordering_fields = ("created_at", "name", "updated_at", "last_visit_at")
    query_serializers = {"create": NewCustomerQuery}
    body_serializers = {"create": NewCustomer, "partial_update": CustomerPatch}
    refusals = {
        "create": (operations.CustomerExists, operations.NotReachable),
        "partial_update": (operations.CustomerExists, operations.NotReachable),
    }

    @extend_schema(responses={201: CustomerSerializer, 200: CustomerSerializer})
    def create(self, request: Request) -> Response:
        """Add a customer: `name`, and at least one of `phone` and `email`.

        The same phone or e-mail again is 409 `customer_exists`, and `meta.existing_id` is that
        customer's id; with `on_existing=return` it is 200 with that customer, unchanged.
        """
        try:
            customer = operations.create_customer(
                business=self.business, now=timezone.now(), **self.body(NewCustomer)
            )
        except operations.CustomerExists as error:
            if self.query.get("on_existing") != "return":
                raise
            existing = self.get_queryset().filter(pk=error.meta.get("existing_id")).first()
            if existing is None:
                raise
            return self.show(existing)
        location = request.build_absolute_uri(f"/api/v1/customers/{customer.pk}")
        return self.show(customer, status=201, headers={"Location": location})

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a customer. `metadata` is replaced as a whole."""
        customer = self.get_object()
        customer = operations.update_customer(
            business=self.business,
            customer_id=customer.pk,
            changes=self.body(CustomerPatch, change=customer),
            expected=self.expected_version(customer),
            now=timezone.now(),
        )
        return self.show(customer)
