"""PIN management of the eID application: status, resume, change, unblock, activate (TR-03110-2 2.4, TR-03110-3 B.7)."""
