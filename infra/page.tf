# The page: a function that only reads. Nobody but `page_viewers` may call it, and it may do nothing but read
# this database.
resource "google_service_account" "page" {
  account_id   = "pq-page"
  display_name = "Pool Queue: function page"
}

resource "google_project_iam_member" "page" {
  project = var.project
  role    = "roles/datastore.viewer"
  member  = "serviceAccount:${google_service_account.page.email}"

  condition {
    title      = "only Pool Queue's database"
    expression = "resource.name == \"projects/${var.project}/databases/${var.database}\""
  }
}

resource "google_cloudfunctions2_function" "page" {
  name     = "page"
  location = var.region

  build_config {
    runtime         = "python313"
    entry_point     = "page"
    service_account = google_service_account.build.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.page.email
    ingress_settings                 = "ALLOW_ALL" # a viewer's computer is outside; who is let in is IAM's affair
    available_cpu                    = "1"
    available_memory                 = "512Mi"
    timeout_seconds                  = 60
    min_instance_count               = 0 # who looks seldom pays nothing in between
    max_instance_count               = 2 # one serves dozens of viewers, who share what it has read
    max_instance_request_concurrency = 40
    environment_variables            = merge(local.environment, { THREADS = "40" })
  }

  depends_on = [google_project_service.used, google_project_iam_member.build]
}

resource "google_cloud_run_v2_service_iam_member" "page" {
  for_each = var.page_viewers

  name     = google_cloudfunctions2_function.page.name
  location = google_cloudfunctions2_function.page.location
  role     = "roles/run.invoker"
  member   = each.key
}
