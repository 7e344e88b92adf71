variable "project" {
  description = "Id of the project that everything here is created in."
  type        = string
}

variable "region" {
  description = "Region of the functions, the scheduler and the source bucket."
  type        = string
}

variable "settings_file" {
  description = "Path of the settings file (YAML). It is deployed with the functions, and names the topics."
  type        = string
}

variable "database" {
  description = "Name of the Firestore database."
  type        = string
  default     = "pool-queue"
}

variable "firestore_location" {
  description = "Location of the database: a region, or nam5 or eur3. It cannot be changed later."
  type        = string
}

variable "publishers" {
  description = "Who may publish to a request or command topic: topic => members, such as serviceAccount:NAME@PROJECT.iam.gserviceaccount.com."
  type        = map(list(string))
  default     = {}
}

variable "training_service_accounts" {
  description = "E-mail addresses of the service accounts that custom jobs may run as (customJob.jobSpec.serviceAccount)."
  type        = set(string)
  default     = []
}

variable "arrivals" {
  description = "What starts data_arrived: name => event type, filters by attribute, and the region of the event's source."
  type = map(object({
    event_type = optional(string, "google.cloud.storage.object.v1.finalized")
    filters    = map(string)
    region     = optional(string)
  }))
  default = {}
}

variable "page_viewers" {
  description = "Who may look at the page, such as group:NAME@DOMAIN or user:NAME@DOMAIN. allUsers is refused."
  type        = set(string)
  default     = []

  validation {
    condition     = !anytrue([for member in var.page_viewers : contains(["allUsers", "allAuthenticatedUsers"], member)])
    error_message = "The page shows whose jobs run, and errors: name groups or users, not everybody."
  }
}

variable "message_retention_days" {
  description = "How long requests and commands wait for a function that does not answer."
  type        = number
  default     = 7

  validation {
    condition     = var.message_retention_days >= 7 && var.message_retention_days <= 31
    error_message = "A week of outage must lose nothing, and Pub/Sub keeps messages for at most 31 days."
  }
}

variable "max_instances" {
  description = "Upper limit of instances per function: what a burst may cost."
  type        = number
  default     = 20
}

variable "requests_per_instance" {
  description = "Messages that one instance works on at the same time."
  type        = number
  default     = 8
}

variable "deletion_protection" {
  description = "Whether the database refuses to be deleted."
  type        = bool
  default     = true
}
