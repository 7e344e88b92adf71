# One identity per function, all with what the admission cycle needs; they differ in who may call them, and in
# the audit log.
locals {
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"

  functions      = setunion(local.pushed_functions, ["data_arrived"])
  function_email = { for name, account in google_service_account.function : name => "serviceAccount:${account.email}" }

  # What a function may publish: outcomes; and to the sweeps, what it did not get done in time.
  published = { for pair in setproduct(local.functions, [local.outcomes_topic, local.sweeps_topic]) : join(" ", pair) => {
    function = pair[0], topic = pair[1]
  } }

  in_vertex = { for pair in setproduct(local.vertex_projects, local.functions) : join(" ", pair) => {
    project = pair[0], function = pair[1]
  } }
}

resource "google_service_account" "function" {
  for_each = local.functions

  account_id   = "pq-${replace(each.key, "_", "-")}"
  display_name = "Pool Queue: function ${each.key}"
}

resource "google_project_iam_member" "database" {
  for_each = local.functions

  project = var.project
  role    = "roles/datastore.user"
  member  = local.function_email[each.key]

  condition {
    title      = "only Pool Queue's database"
    expression = "resource.name == \"projects/${var.project}/databases/${var.database}\""
  }
}

resource "google_pubsub_topic_iam_member" "function" {
  for_each = local.published

  topic  = google_pubsub_topic.this[each.value.topic].id
  role   = "roles/pubsub.publisher"
  member = local.function_email[each.value.function]
}

# A cycle looks at its resource, submits, and cancels what nobody wants any more; it never deletes.
resource "google_project_iam_custom_role" "admission" {
  for_each = local.vertex_projects

  project = each.key
  role_id = "poolQueueAdmission"
  title   = "Pool Queue: submit, watch and cancel custom jobs"
  permissions = [
    "aiplatform.customJobs.cancel",
    "aiplatform.customJobs.create",
    "aiplatform.customJobs.get",
    "aiplatform.customJobs.list",
    "aiplatform.persistentResources.get",
  ]
}

resource "google_project_iam_member" "vertex" {
  for_each = local.in_vertex

  project = each.value.project
  role    = google_project_iam_custom_role.admission[each.value.project].id
  member  = local.function_email[each.value.function]
}

# To submit a job that runs as a service account, one must be allowed to act as it.
resource "google_service_account_iam_member" "training" {
  for_each = { for pair in setproduct(local.functions, var.training_service_accounts) : join(" ", pair) => {
    function = pair[0], account = pair[1]
  } }

  service_account_id = "projects/-/serviceAccounts/${each.value.account}"
  role               = "roles/iam.serviceAccountUser"
  member             = local.function_email[each.value.function]
}

# Who calls the functions: the subscriptions.
resource "google_service_account" "push" {
  account_id   = "pq-push"
  display_name = "Pool Queue: push subscriptions"
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = google_cloudfunctions2_function.pushed

  name     = each.value.name
  location = each.value.location
  role     = "roles/run.invoker"
  member   = "serviceAccount:${google_service_account.push.email}"
}

# Projects older than April 2021 do not let Pub/Sub sign tokens for a service account by themselves.
resource "google_service_account_iam_member" "push" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent
}

# Who calls data_arrived: Eventarc.
resource "google_service_account" "arrivals" {
  account_id   = "pq-arrivals"
  display_name = "Pool Queue: Eventarc triggers"
}

resource "google_project_iam_member" "arrivals" {
  project = var.project
  role    = "roles/eventarc.eventReceiver"
  member  = "serviceAccount:${google_service_account.arrivals.email}"
}

resource "google_cloud_run_v2_service_iam_member" "arrivals" {
  for_each = google_cloudfunctions2_function.data_arrived

  name     = each.value.name
  location = each.value.location
  role     = "roles/run.invoker"
  member   = "serviceAccount:${google_service_account.arrivals.email}"
}

data "google_storage_project_service_account" "this" {
  project = var.project
}

# Events of Cloud Storage travel through a topic that Cloud Storage publishes to.
resource "google_project_iam_member" "storage_events" {
  for_each = length(var.arrivals) > 0 ? toset(["roles/pubsub.publisher"]) : toset([])

  project = var.project
  role    = each.key
  member  = data.google_storage_project_service_account.this.member
}

# Who builds the functions' images.
resource "google_service_account" "build" {
  account_id   = "pq-build"
  display_name = "Pool Queue: builds of the functions"
}

resource "google_project_iam_member" "build" {
  project = var.project
  role    = "roles/cloudbuild.builds.builder"
  member  = "serviceAccount:${google_service_account.build.email}"
}
