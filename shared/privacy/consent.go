// Package privacy owns what keeps people unknown: the signals by which they
// refuse to be counted, where their address is read and forgotten, the salts and
// the keyed hashes that stand for them, and what must be stripped from what
// clients send.
//
// It is pure. Nothing it is given may leave it but as a keyed hash; it must never
// log, and its errors must never repeat an address, a user agent or a subject.
package privacy

import "net/http"

// Refused tells whether the request asks not to be tracked: "DNT: 1" or
// "Sec-GPC: 1". Then nothing about it is stored.
//
// Sources: https://www.w3.org/TR/tracking-dnt/ and https://www.w3.org/TR/gpc/.
func Refused(h http.Header) bool {
	return h.Get("Dnt") == "1" || h.Get("Sec-Gpc") == "1" // as net/http writes the names
}
