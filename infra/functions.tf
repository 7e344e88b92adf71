locals {
  root = "${path.module}/.."
  source_files = sort(concat(
    ["main.py", "requirements.txt"],
    tolist(fileset(local.root, "handlers/**/*.py")),
    tolist(fileset(local.root, "poolqueue/**/*.{py,json,html,css,js,svg}")),
  ))
  triggers = try(local.settings.triggers, null)

  environment = {
    GOOGLE_CLOUD_PROJECT = var.project
    POOL_QUEUE_DATABASE  = google_firestore_database.this.name
    POOL_QUEUE_SETTINGS  = "settings.yaml"
    THREADS              = tostring(var.requests_per_instance)
  }

  pushed_functions = toset(["job_requested", "job_commanded", "job_ended", "swept"])
}

data "archive_file" "source" {
  type             = "zip"
  output_path      = "${path.module}/.terraform/functions.zip"
  output_file_mode = "0644"

  dynamic "source" {
    for_each = local.source_files

    content {
      filename = source.value
      content  = file("${local.root}/${source.value}")
    }
  }

  source {
    filename = "settings.yaml"
    content  = file(var.settings_file)
  }

  dynamic "source" {
    for_each = local.triggers == null ? [] : [local.triggers]

    content {
      filename = source.value
      content  = file("${dirname(var.settings_file)}/${source.value}")
    }
  }
}

resource "google_storage_bucket" "source" {
  name                        = "${var.project}-pool-queue-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  depends_on                  = [google_project_service.used]
}

# A new name for every content: the same name would be taken for the same function, and nothing deployed.
resource "google_storage_bucket_object" "source" {
  name   = "functions-${data.archive_file.source.output_sha256}.zip"
  bucket = google_storage_bucket.source.name
  source = data.archive_file.source.output_path
}

resource "google_cloudfunctions2_function" "pushed" {
  for_each = local.pushed_functions

  name     = replace(each.key, "_", "-")
  location = var.region

  build_config {
    runtime         = "python313"
    entry_point     = each.key
    service_account = google_service_account.build.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.function[each.key].email
    ingress_settings                 = "ALLOW_INTERNAL_ONLY"
    available_cpu                    = "1"
    available_memory                 = "512Mi"
    timeout_seconds                  = 540 # below the subscription's 600, so that a redelivery finds the first call ended
    max_instance_count               = var.max_instances
    max_instance_request_concurrency = var.requests_per_instance
    environment_variables            = local.environment
  }

  depends_on = [google_project_service.used, google_project_iam_member.build]
}

resource "google_cloudfunctions2_function" "data_arrived" {
  for_each = var.arrivals

  name     = "data-arrived-${each.key}"
  location = var.region

  build_config {
    runtime         = "python313"
    entry_point     = "data_arrived"
    service_account = google_service_account.build.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.function["data_arrived"].email
    ingress_settings                 = "ALLOW_INTERNAL_ONLY"
    available_cpu                    = "1"
    available_memory                 = "512Mi"
    timeout_seconds                  = 540
    max_instance_count               = var.max_instances
    max_instance_request_concurrency = var.requests_per_instance
    environment_variables            = local.environment
  }

  event_trigger {
    event_type            = each.value.event_type
    trigger_region        = coalesce(each.value.region, var.region)
    retry_policy          = "RETRY_POLICY_RETRY"
    service_account_email = google_service_account.arrivals.email

    dynamic "event_filters" {
      for_each = each.value.filters

      content {
        attribute = event_filters.key
        value     = event_filters.value
      }
    }
  }

  depends_on = [
    google_project_iam_member.arrivals,
    google_project_iam_member.build,
    google_project_iam_member.storage_events,
    google_project_service.used,
  ]
}
