# The function, its subscription and its identity, beside an installation of Pool Queue. The identity may read
# one secret and one small database, and nothing of Pool Queue's.
terraform {
  required_version = ">= 1.5"

  required_providers {
    archive = {
      source  = "hashicorp/archive"
      version = ">= 2.4, < 3.0"
    }
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 8.0"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

variable "project" {
  description = "Project of Pool Queue's topics."
  type        = string
}

variable "region" {
  description = "Region of the function."
  type        = string
}

variable "firestore_location" {
  description = "Location of the function's own database."
  type        = string
}

variable "outcomes_topic" {
  description = "Topic that announces every change of a job's state."
  type        = string
  default     = "job-outcomes"
}

variable "filter" {
  description = "Which outcomes are posted."
  type        = string
  default     = "attributes.state = \"ended\" AND attributes.outcome != \"succeeded\""
}

variable "chat_format" {
  description = "slack or google_chat."
  type        = string
  default     = "slack"
}

variable "build_service_account" {
  description = "Full name of the service account that builds functions, such as Pool Queue's pq-build."
  type        = string
}

data "google_project" "this" {
  project_id = var.project
}

resource "google_project_service" "secrets" {
  service            = "secretmanager.googleapis.com"
  disable_on_destroy = false
}

resource "google_service_account" "notify" {
  account_id   = "pq-notify"
  display_name = "Pool Queue: posts outcomes to a chat"
}

# Its value, the webhook's address, is added by hand, so that it is in no state file.
resource "google_secret_manager_secret" "webhook" {
  secret_id = "pool-queue-chat-webhook"

  replication {
    auto {}
  }

  depends_on = [google_project_service.secrets]
}

resource "google_secret_manager_secret_iam_member" "notify" {
  secret_id = google_secret_manager_secret.webhook.id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${google_service_account.notify.email}"
}

resource "google_firestore_database" "this" {
  name        = "pool-queue-notifications"
  location_id = var.firestore_location
  type        = "FIRESTORE_NATIVE"
}

resource "google_firestore_field" "expires_at" {
  database   = google_firestore_database.this.name
  collection = "posted"
  field      = "expires_at"

  ttl_config {}
  index_config {}
}

resource "google_project_iam_member" "database" {
  project = var.project
  role    = "roles/datastore.user"
  member  = "serviceAccount:${google_service_account.notify.email}"

  condition {
    title      = "only the notifications' database"
    expression = "resource.name == \"projects/${var.project}/databases/${google_firestore_database.this.name}\""
  }
}

data "archive_file" "source" {
  type             = "zip"
  output_path      = "${path.module}/.terraform/notify.zip"
  output_file_mode = "0644"

  dynamic "source" {
    for_each = ["main.py", "requirements.txt"]

    content {
      filename = source.value
      content  = file("${path.module}/${source.value}")
    }
  }
}

resource "google_storage_bucket" "source" {
  name                        = "${var.project}-pool-queue-notify-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
}

resource "google_storage_bucket_object" "source" {
  name   = "notify-${data.archive_file.source.output_sha256}.zip"
  bucket = google_storage_bucket.source.name
  source = data.archive_file.source.output_path
}

resource "google_cloudfunctions2_function" "notify" {
  name     = "pool-queue-notify"
  location = var.region

  build_config {
    runtime         = "python313"
    entry_point     = "notify"
    service_account = var.build_service_account

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  service_config {
    service_account_email = google_service_account.notify.email
    ingress_settings      = "ALLOW_INTERNAL_ONLY"
    available_memory      = "256Mi"
    timeout_seconds       = 60

    # One at a time: two deliveries of one message must not both find that nothing was posted.
    max_instance_count               = 1
    max_instance_request_concurrency = 1

    environment_variables = {
      CHAT_FORMAT            = var.chat_format
      NOTIFICATIONS_DATABASE = google_firestore_database.this.name
    }

    secret_environment_variables {
      key        = "CHAT_WEBHOOK"
      project_id = var.project
      secret     = google_secret_manager_secret.webhook.secret_id
      version    = "latest"
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.notify]
}

resource "google_service_account" "push" {
  account_id   = "pq-notify-push"
  display_name = "Pool Queue: calls the function that posts outcomes"
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  name     = google_cloudfunctions2_function.notify.name
  location = var.region
  role     = "roles/run.invoker"
  member   = "serviceAccount:${google_service_account.push.email}"
}

resource "google_pubsub_topic" "dead_letters" {
  name = "pool-queue-notify-dead-letters"
}

resource "google_pubsub_subscription" "dead_letters" {
  name  = "pool-queue-notify-dead-letters"
  topic = google_pubsub_topic.dead_letters.id

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription" "notify" {
  name                       = "pool-queue-notify"
  topic                      = "projects/${var.project}/topics/${var.outcomes_topic}"
  filter                     = var.filter
  ack_deadline_seconds       = 90
  message_retention_duration = "${7 * 24 * 3600}s"

  push_config {
    push_endpoint = google_cloudfunctions2_function.notify.service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = google_cloudfunctions2_function.notify.service_config[0].uri
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = 100
  }

  expiration_policy {
    ttl = ""
  }

  depends_on = [google_cloud_run_v2_service_iam_member.push]
}

# To move a message to the dead letters, Pub/Sub itself publishes there and acknowledges here.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  topic  = google_pubsub_topic.dead_letters.id
  role   = "roles/pubsub.publisher"
  member = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  subscription = google_pubsub_subscription.notify.id
  role         = "roles/pubsub.subscriber"
  member       = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}
