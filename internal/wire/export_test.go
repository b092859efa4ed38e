package wire

import "net/http"

// Base is the transport that c was made with.
func Base(c *http.Client) http.RoundTripper { return c.Transport.(roundTripper).base }
