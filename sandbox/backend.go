package sandbox

import (
	"github.com/moneykit/moneykit-go/sandbox/internal/connect"
)

// connectBackend is what Connect uses of the sandbox.
type connectBackend struct{ s *Sandbox }

var _ connect.Backend = connectBackend{}

func (b connectBackend) Session(token string) (*connect.Session, error) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	ses, err := b.s.state.session(b.s.now(), token)
	if err != nil {
		return nil, err
	}
	return &ses.Session, nil
}

func (b connectBackend) Sessions() []*connect.Session {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	all := make([]*connect.Session, len(b.s.state.sessions))
	for i, ses := range b.s.state.sessions {
		all[i] = &ses.Session
	}
	return all
}

func (b connectBackend) Link(id string) (connect.Link, bool) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	link := b.s.state.byID[id]
	if link == nil {
		return connect.Link{}, false
	}
	return connectLink(link), true
}

func (b connectBackend) LinksOf(customerUserID string) []connect.Link {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	var all []connect.Link
	for _, link := range b.s.state.links {
		if link.CustomerUserID == customerUserID {
			all = append(all, connectLink(link))
		}
	}
	return all
}

func connectLink(l *Link) connect.Link {
	c := l.clone()
	return connect.Link{ID: c.LinkID, InstitutionID: c.InstitutionID, InstitutionName: c.InstitutionName,
		Countries: c.Countries, Data: c.CustomSandboxData, Remembered: c.remembered}
}

func (b connectBackend) Complete(token string, choice connect.Choice) (linkID, exchangeableToken string, err error) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	ses, err := b.s.state.complete(b.s.now(), token, choice)
	if err != nil {
		return "", "", err
	}
	return ses.linkID, ses.exchangeable, nil
}

func (b connectBackend) Reconnect(token string, choice connect.Choice) (linkID string, err error) {
	linkID, exchangeable, err := b.Complete(token, choice)
	if err != nil {
		return "", err
	}
	_, err = b.s.exchange(exchangeable)
	return linkID, err
}

func (b connectBackend) CheckOrigin(origin string) error {
	return b.s.checkOrigin("The origin", origin)
}
