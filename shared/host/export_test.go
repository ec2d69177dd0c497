package host

// SetSecretFolders makes tests independent of the secrets of the machine.
func (p *Process) SetSecretFolders(folders ...string) { p.secretFolders = folders }
