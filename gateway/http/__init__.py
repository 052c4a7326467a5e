"""HTTP kit of daemon and console: connections, guard, bodies, answers, REST."""
