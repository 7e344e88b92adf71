output "request_topics" {
  description = "Topics to publish job requests to."
  value       = [for topic in local.request_topics : google_pubsub_topic.this[topic].id]
}

output "command_topics" {
  description = "Topics to publish commands to."
  value       = [for topic in local.command_topics : google_pubsub_topic.this[topic].id]
}

output "outcomes_topic" {
  description = "Topic that announces every change of a job's state."
  value       = google_pubsub_topic.this[local.outcomes_topic].id
}

output "dead_letters_subscription" {
  description = "Holds for 31 days what no function could take."
  value       = google_pubsub_subscription.dead_letters.id
}

output "database" {
  description = "Name of the Firestore database, for poolctl (POOL_QUEUE_DATABASE)."
  value       = google_firestore_database.this.name
}

output "functions" {
  description = "Addresses of the functions that subscriptions push to; they answer only from within Google Cloud."
  value       = { for name, function in google_cloudfunctions2_function.pushed : name => function.service_config[0].uri }
}

output "page" {
  description = "Address of the page. Its viewers reach it with: gcloud run services proxy page --region REGION"
  value       = google_cloudfunctions2_function.page.service_config[0].uri
}
