"""Taking the list of instances elsewhere: exactly what is filtered, as a file that is made while it is sent."""
