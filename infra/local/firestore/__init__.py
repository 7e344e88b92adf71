"""The embedded Firestore: the calls that our client makes, on the engine that also serves tests in memory."""
