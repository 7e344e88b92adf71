resource "google_cloud_scheduler_job" "sweep" {
  for_each = { for place in local.places : "${place.project}.${place.location}" => place }

  name      = "pool-queue-sweep-${replace(each.key, ".", "-")}"
  region    = var.region
  schedule  = "* * * * *"
  time_zone = "Etc/UTC"

  pubsub_target {
    topic_name = google_pubsub_topic.this[local.sweeps_topic].id
    data       = base64encode(jsonencode(each.value))
  }

  depends_on = [google_project_service.used]
}
