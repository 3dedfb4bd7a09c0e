"""What is told by itself: the feed of this process, and the streams and sockets that read it."""
