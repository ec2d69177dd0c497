package privacy

import "strings"

// maxApp is the maximum length of the id of an app in bytes; packages are shorter.
const maxApp = 200

// readApp returns the address of the app by which a visitor comes: its scheme, and its package
// or its number in Apple's store. What follows is dropped: it is a link of the app.
func readApp(raw string) (app string, ok bool) {
	scheme, id, ok := strings.Cut(raw, "://")
	if !ok || !strings.EqualFold(scheme, "android-app") && !strings.EqualFold(scheme, "ios-app") {
		return "", false
	}
	if end := strings.IndexAny(id, "/?#"); end >= 0 {
		id = id[:end]
	}
	if len(id) > maxApp || !isApp(id) {
		return "", false
	}
	return strings.ToLower(scheme + "://" + id), true
}

// isApp reports whether a text is a number, or a package, which has a dot.
func isApp(id string) bool {
	number := id != ""
	for _, c := range []byte(id) {
		switch {
		case '0' <= c && c <= '9':
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '.', c == '_', c == '-':
			number = false
		default:
			return false
		}
	}
	return number || strings.Contains(strings.Trim(id, "."), ".")
}
