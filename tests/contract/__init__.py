"""One suite of cases for every host: two protocols, three frameworks, real servers, real sockets."""
