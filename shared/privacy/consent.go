// Package privacy keeps people anonymous: it reads the signals by which they refuse to be
// counted, finds the client's address, computes the keyed hashes that stand for people
// under salts, and strips personal data from what clients send.
//
// It is pure. What identifies a person leaves it only as a keyed hash. It must never log,
// and its errors must never repeat an address, a user agent or a subject.
package privacy

import "net/http"

// Refused reports whether the request asks not to be tracked: "DNT: 1" or "Sec-GPC: 1".
//
// Sources: https://www.w3.org/TR/tracking-dnt/ and https://www.w3.org/TR/gpc/.
func Refused(h http.Header) bool {
	return h.Get("Dnt") == "1" || h.Get("Sec-Gpc") == "1" // in the canonical form of net/http
}
