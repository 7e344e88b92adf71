"""What an error answer to a create call is taken for."""

import pytest

from poolqueue.adapters.vertex_errors import MESSAGE_LIMIT, classify
from poolqueue.ports import RefusalKind, Refused, Unanswered

RESOURCE = "projects/p/locations/us-central1/persistentResources/gpu-a"
TERMINAL = [
    (400, "List of found errors:\t1.Field: job_spec.worker_pool_specs; Message: no pool matches.\t"),
    (400, f"The machine_spec does not match any pool of PersistentResource {RESOURCE} in state RUNNING"),
    (400, "The network of the job is not available on the persistent resource"),
    (400, "You do not have permission to act as service_account: a@b.c. (or it may not exist)."),
    (400, "custom_job.job_spec.service_account must be specified when uploading to TensorBoard"),
    (400, "An error with the persistent resource id: it must be shorter"),
    (403, "Permission 'iam.serviceAccounts.actAs' denied on service account a@b.c"),
    (404, "Tensorboard `projects/p/locations/l/tensorboards/1` not found."),
    (404, "`projects/p/locations/l/tensorboards/1` not found."),
    (404, "Service account a@b.c does not exist."),
    (405, "Method not allowed"),
    (413, "Request payload size exceeds the limit"),
]
NOT_READY = [
    (400, f"PersistentResource {RESOURCE} is not running"),
    (400, "Persistent resource 'network-match' is in state REBOOTING."),
    (
        400,
        "List of found errors:\t1.Field: persistent_resource_id; Message: Persistent resource not found.\t",
    ),
    (400, "The persistent resource is being deleted."),
    (400, "The PersistentResource network-a is in state STOPPING."),
    (400, "The persistent resource does not exist."),
    (403, "Permission 'aiplatform.customJobs.create' denied on resource '//aiplatform.googleapis.com/...'"),
    (404, f"The PersistentResource {RESOURCE} does not exist."),
    (404, "Persistent resource projects/image-team/locations/l/persistentResources/network not found"),
    (404, "Requested entity was not found."),
    (404, "<!DOCTYPE html> That's an error."),
]
PER_MINUTE = (
    "Quota exceeded for quota metric 'Job or LRO submission requests' and limit 'Job or LRO submission "
    "requests per minute per region' of service 'aiplatform.googleapis.com' for consumer 'project_number:1'."
)
RATE = [
    (429, PER_MINUTE),
    (429, "Quota exceeded for aiplatform.googleapis.com/job_or_lro_submission_requests"),
]
QUOTA_METRIC = "aiplatform.googleapis.com/custom_model_training_cpus"
QUOTA = [(429, f"The following quota metrics exceed quota limits: {QUOTA_METRIC}")]
CAPACITY = [
    (429, "Not enough free replicas in the resource pool."),
    (429, "Resources are insufficient in region: us-central1."),
    (429, "Resource has been exhausted (e.g. check quota)."),
]
UNANSWERED = [
    (500, "Internal error encountered."),
    (502, "<html>Bad Gateway</html>"),
    (503, "The service is currently unavailable."),
    (503, f"PersistentResource {RESOURCE} is not running"),
    (504, "Deadline expired before operation could complete."),
    (408, "Request timeout"),
    (409, "The operation was aborted."),
    (499, "The operation was cancelled."),
]
REFUSALS = [
    *((RefusalKind.TERMINAL, *case) for case in TERMINAL),
    *((RefusalKind.NOT_READY, *case) for case in NOT_READY),
    *((RefusalKind.RATE, *case) for case in RATE),
    *((RefusalKind.QUOTA, *case) for case in QUOTA),
    *((RefusalKind.CAPACITY, *case) for case in CAPACITY),
]


@pytest.mark.parametrize(("kind", "http_status", "message"), REFUSALS)
def test_a_refusal_is_told_by_status_and_text(kind, http_status, message):
    assert classify(http_status, message) == Refused(kind=kind, message=f"{http_status}: {message}")


@pytest.mark.parametrize(("http_status", "message"), UNANSWERED)
def test_an_error_that_proves_no_absence_of_effect_is_unanswered(http_status, message):
    assert isinstance(classify(http_status, message), Unanswered)


@pytest.mark.parametrize(
    ("http_status", "reason", "kind"),
    [
        (429, "RATE_LIMIT_EXCEEDED", RefusalKind.RATE),
        (403, "SERVICE_DISABLED", RefusalKind.NOT_READY),
        (403, "BILLING_DISABLED", RefusalKind.NOT_READY),
        (403, "IAM_PERMISSION_DENIED", RefusalKind.TERMINAL),
    ],
)
def test_the_reason_in_the_details_decides_where_there_is_one(http_status, reason, kind):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    refused = classify(http_status, "any text", details, "SOME_STATUS")
    assert refused == Refused(
        kind=kind, message=f"{http_status} SOME_STATUS: any text", error_class="SOME_STATUS"
    )


def test_a_message_is_kept_within_bounds():
    assert len(classify(400, "x" * 100_000).message) == MESSAGE_LIMIT
