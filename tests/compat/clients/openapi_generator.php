<?php
// Uses the client that openapi-generator makes for PHP. Arguments: base URL, API key, folder of the client.
declare(strict_types=1);

use OpenAPI\Client\Api\AppointmentsApi;
use OpenAPI\Client\Api\CustomersApi;
use OpenAPI\Client\Api\ServicesApi;
use OpenAPI\Client\ApiException;
use OpenAPI\Client\Configuration;
use OpenAPI\Client\Model\AppointmentCreate;
use OpenAPI\Client\Model\CustomerCreate;

[, $url, $key, $folder] = $argv;
require 'GuzzleHttp/autoload.php'; // Debian's php-guzzlehttp-guzzle
spl_autoload_register(function (string $class) use ($folder): void {
    require $folder . '/lib/' . str_replace(['OpenAPI\\Client\\', '\\'], ['', '/'], $class) . '.php';
});
set_error_handler(function (int $level, string $text): bool {
    throw new ErrorException($text, 0, $level);
});

$configuration = (new Configuration())->setHost($url)->setApiKey('X-API-Key', $key);
$http = new GuzzleHttp\Client();
$customers = new CustomersApi($http, $configuration);
$appointments = new AppointmentsApi($http, $configuration);

function failure_of(callable $call): array
{
    try {
        $call();
    } catch (ApiException $error) {
        $body = $error->getResponseObject();
        $fields = array_keys((array) $body->getErrors());
        sort($fields);
        return ['status' => $error->getCode(), 'code' => $body->getCode(), 'fields' => $fields];
    }
    throw new LogicException('No error.');
}

$before = $customers->listCustomers(per_page: 5)->getMeta()->getTotal();
$asha = new CustomerCreate(['name' => 'Asha Rao', 'phone' => '+919876543210', 'metadata' => ['crm' => 'C-1']]);
$made = $customers->createCustomer($asha, idempotency_key: 'php-1')->getData();
$service = (new ServicesApi($http, $configuration))->listServices()->getData()[0];
$slots = $appointments->listSlots($service->getId());
$start = ($slots->getData()[0] ?? $slots->getMeta()->getNextAvailable())->getStartTime();
$booking = new AppointmentCreate(
    ['customer_id' => $made->getId(), 'service_id' => $service->getId(), 'start_time' => $start]
);
$booked = $appointments->createAppointment($booking)->getData();
$listed = $customers->listCustomers()->getData();

echo json_encode([
    'before' => $before,
    'listed' => count($listed) === 1 && $listed[0]->getId() === $made->getId(),
    'made' => [
        $made->getName(), $made->getPhone(), $made->getSegment(), $made->getMetadata(), $made->getLastVisitAt(),
    ],
    'booked' => [$booked->getStatus(), $booked->getPrice(), $booked->getStartTime() == $start],
    'missing' => failure_of(fn () => $customers->getCustomer(999999)),
    'invalid' => failure_of(fn () => $customers->createCustomer(new CustomerCreate(['name' => 'Ravi']))),
]);
