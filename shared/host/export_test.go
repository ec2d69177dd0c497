package host

// SetSecretFolders makes tests independent of the machine's own secrets.
func (p *Process) SetSecretFolders(folders ...string) { p.secretFolders = folders }
