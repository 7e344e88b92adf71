resource "google_cloud_scheduler_job" "sweep" {
  name      = "pool-queue-sweep"
  region    = var.region
  schedule  = "* * * * *"
  time_zone = "Etc/UTC"

  pubsub_target {
    topic_name = google_pubsub_topic.this[local.sweeps_topic].id
    data       = base64encode("{}") # one tick looks at every project and region of the settings
  }

  depends_on = [google_project_service.used]
}
