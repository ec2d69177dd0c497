package mask

import "strings"

// emails masks e-mail addresses.
func (v *view) emails() {
	for at, c := range v.text {
		if c != '@' {
			continue
		}
		begin := v.before(at, isLocal)
		for begin < at && strings.IndexByte(".-'", v.text[begin]) >= 0 {
			begin++ // punctuation before the address
		}
		length := domain(string(v.text[at+1 : v.while(at+1, isDomain)]))
		if begin == at || length == 0 || v.handle(begin) || isRepository(string(v.text[begin:at])) {
			continue
		}
		v.mask(begin, at+1+length, Email)
	}
}

// handle reports whether a name is that of a handle, such as @user@host, or of a community,
// such as !news@host or /c/news@host.
func (v *view) handle(begin int) bool {
	return (v.byteAt(begin-1) == '@' || v.byteAt(begin-1) == '!') && !isLocal(v.byteAt(begin-2)) ||
		v.byteAt(begin-1) == '/' && v.byteAt(begin-2) == 'c' && v.byteAt(begin-3) == '/'
}

// isRepository reports whether a name is the user of a version control system, as in
// git@host:path, who is nobody.
func isRepository(name string) bool { return name == "git" || name == "hg" || name == "svn" }

func isLocal(c byte) bool { return isWord(c) || c >= 0x80 || strings.IndexByte("._+-'", c) >= 0 }

func isDomain(c byte) bool { return isWord(c) || c >= 0x80 || c == '.' || c == '-' }

// domain returns the length of the domain of an address at the beginning of a text, or 0 if
// the text does not begin with one. Endings of files and punctuation are not part of it.
func domain(text string) int {
	for {
		text = strings.TrimRight(text, ".-")
		dot := strings.LastIndexByte(text, '.')
		if dot < 0 {
			return 0
		}
		if !isEnding(strings.ToLower(text[dot+1:])) {
			break
		}
		text = text[:dot]
	}
	first, rest, _ := strings.Cut(text, ".")
	if first == "" || isVersion(first, rest) || strings.Contains(text, "..") || !isTopLevel(text[strings.LastIndexByte(text, '.')+1:]) {
		return 0
	}
	return len(text)
}

// isTopLevel reports whether a text has the form of a top-level domain.
func isTopLevel(text string) bool {
	if strings.HasPrefix(strings.ToLower(text), "xn--") {
		return true
	}
	for i := range len(text) {
		if !isLetter(text[i]) && text[i] < 0x80 {
			return false
		}
	}
	return len(text) >= 2
}

// isVersion reports whether the parts of a text are those of a version, such as 1.2.3-rc.next
// or v2.0, or name the size of an image, such as 2x.
func isVersion(first, rest string) bool {
	number := strings.TrimRight(strings.TrimLeft(first, "vV"), "xX")
	if strings.Trim(number, "0123456789") != "" {
		return false
	}
	return number != first || len(number) <= 2 || rest != "" && isDigit(rest[0])
}

// isEnding reports whether a part of a name is the ending of a file, which is no top-level
// domain, or is one that hardly anybody has an address in.
func isEnding(text string) bool {
	switch text {
	case "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "bmp", "tif", "tiff", "heic",
		"css", "scss", "less", "js", "mjs", "cjs", "jsx", "ts", "tsx", "vue", "map", "min", "wasm",
		"html", "htm", "xhtml", "php", "asp", "aspx", "jsp", "cgi", "xml", "rss", "atom", "json", "jsonl", "yaml", "yml", "toml", "csv", "tsv", "ini", "conf", "log",
		"pdf", "txt", "rtf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "epub", "ics", "vcf",
		"mp3", "mp4", "webm", "ogg", "wav", "avi", "mkv", "flac", "woff", "woff2", "ttf", "otf", "eot",
		"zip", "gz", "tgz", "tar", "bz2", "xz", "zst", "7z", "rar", "jar", "war", "exe", "msi", "dmg", "deb", "rpm", "apk", "iso",
		"git", "patch", "diff", "lock", "java", "cpp", "hpp", "kt", "swift", "sql", "latest":
		return true
	default:
		return false
	}
}
