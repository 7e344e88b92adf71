# Push subscriptions of our own: an event trigger of the function would fix the acknowledgement deadline at
# 10 s and the retention at 24 h, and losing its settings with a redeployment would lose messages.
locals {
  pushed_topics = merge(
    { for topic in local.request_topics : topic => { function = "job_requested", is_fact = true } },
    { for topic in local.command_topics : topic => { function = "job_commanded", is_fact = true } },
    { "job-ended" = { function = "job_ended", is_fact = true } },
    { (local.sweeps_topic) = { function = "swept", is_fact = false } },
  )
}

resource "google_pubsub_subscription" "push" {
  for_each = local.pushed_topics

  name                 = "${each.key}.push"
  topic                = google_pubsub_topic.this[each.key].id
  ack_deadline_seconds = 600

  # A late tick of the clock is worth nothing; the next one comes in a minute.
  message_retention_duration = each.value.is_fact ? "${var.message_retention_days * 24 * 3600}s" : "600s"

  push_config {
    # The path tells the function which topic a message was published to.
    push_endpoint = "${google_cloudfunctions2_function.pushed[each.value.function].service_config[0].uri}/${google_pubsub_topic.this[each.key].id}"

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = google_cloudfunctions2_function.pushed[each.value.function].service_config[0].uri
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  expiration_policy {
    ttl = ""
  }

  dynamic "dead_letter_policy" {
    for_each = each.value.is_fact ? [true] : []

    content {
      dead_letter_topic     = google_pubsub_topic.this["dead-letters"].id
      max_delivery_attempts = 100
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.push, google_pubsub_topic_iam_member.dead_letters]
}

# Without a subscription, what is sent to a dead-letter topic is lost.
resource "google_pubsub_subscription" "dead_letters" {
  name                       = "dead-letters.kept"
  topic                      = google_pubsub_topic.this["dead-letters"].id
  ack_deadline_seconds       = 600
  message_retention_duration = "${31 * 24 * 3600}s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "dead_letters" {
  topic  = google_pubsub_topic.this["dead-letters"].id
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each = { for topic, pushed in local.pushed_topics : topic => pushed if pushed.is_fact }

  subscription = google_pubsub_subscription.push[each.key].id
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
