"""Telling subscribers of changes by signed HTTP requests, through jobs (https://www.standardwebhooks.com)."""
