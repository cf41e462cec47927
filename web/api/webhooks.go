package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"trivium/identity"
	"trivium/webhooks"
)

// Webhook is a subscription as JSON. Its secret is shown when it is made, and never again.
type Webhook struct {
	ID           string     `json:"id"`
	URL          string     `json:"url"`
	Events       []string   `json:"events" doc:"names of events of the audit log, or beginnings such as user.*; empty: all"`
	Active       bool       `json:"active"`
	Note         string     `json:"note"`
	CreatedBy    string     `json:"created_by"`
	CreatedAt    time.Time  `json:"created_at"`
	Position     int64      `json:"position" doc:"id of the last row of the audit log that is done"`
	Failures     int        `json:"failures" doc:"tries of the next one that have failed"`
	FailingSince *time.Time `json:"failing_since"`
	NextTry      *time.Time `json:"next_try"`
	Why          string     `json:"why" doc:"why it was switched off by itself; empty: it was not"`
	Secret       string     `json:"secret,omitempty" doc:"when it is made, and then alone"`

	Last *webhooks.Delivery `json:"last_delivery" doc:"the newest try; null: there is none"`
}

// WebhookChange are the settings of one; what is absent stays.
type WebhookChange struct {
	URL    *string   `json:"url,omitempty" maxLength:"1024"`
	Events *[]string `json:"events,omitempty" maxItems:"50"`
	Active *bool     `json:"active,omitempty" doc:"one that is switched on again goes on where it was"`
	Note   *string   `json:"note,omitempty" maxLength:"200"`
}

func (c WebhookChange) hook() webhooks.NewHook {
	return webhooks.NewHook{URL: c.URL, Events: c.Events, Active: c.Active, Note: c.Note}
}

// DeliveryIn is a delivery in a path.
type DeliveryIn struct {
	WebhookIn
	Delivery int64 `path:"delivery" minimum:"1" doc:"id of the delivery, as listed"`
}

// WebhookIn is a webhook in a path.
type WebhookIn struct {
	ID string `path:"id"`
}

type webhookOut struct {
	Status int
	Body   Webhook
}

func (a *API) registerWebhooks() {
	const admin = identity.LevelAdmin
	handle(a, admin, http.MethodGet, "/webhooks", "list-webhooks", "List the webhooks", a.listWebhooks)
	handle(a, admin, http.MethodGet, "/webhooks/events", "list-webhook-events", "List the events that a webhook can be told of, by families", a.listWebhookEvents)
	handle(a, admin, http.MethodPost, "/webhooks", "add-webhook", "Tell an address what happens from now on; the answer has the secret of the signatures, once", a.addWebhook)
	handle(a, admin, http.MethodGet, "/webhooks/{id}", "show-webhook", "Show a webhook without its secret", a.showWebhook)
	handle(a, admin, http.MethodPatch, "/webhooks/{id}", "set-webhook", "Change a webhook, or switch it on or off", a.setWebhook)
	handle(a, admin, http.MethodDelete, "/webhooks/{id}", "remove-webhook", "Remove a webhook", a.removeWebhook)
	handle(a, admin, http.MethodPost, "/webhooks/{id}/secret", "rotate-webhook", "Give a webhook another secret, which the answer has, once", a.rotateWebhook)
	handle(a, admin, http.MethodPost, "/webhooks/{id}/deliveries/{delivery}/send", "resend-delivery", "Send what a delivery told once more, now, and say what came of it", a.resendDelivery)
	handle(a, admin, http.MethodPost, "/webhooks/{id}/test", "test-webhook", "Send webhook.ping now, once, and say what came of it", a.testWebhook)
	handle(a, admin, http.MethodGet, "/webhooks/{id}/deliveries", "list-deliveries", "List the last tries of a webhook, the newest first", a.listDeliveries)
}

func (a *API) hooks() (*webhooks.Service, error) {
	if a.o.Webhooks == nil {
		return nil, errors.ErrUnsupported
	}
	return a.o.Webhooks, nil
}

func webhookJSON(h webhooks.Hook) Webhook {
	return Webhook{ID: h.ID, URL: h.URL, Events: append([]string{}, h.Events...), Active: h.Active, Note: h.Note, CreatedBy: h.CreatedBy,
		CreatedAt: h.CreatedAt.UTC(), Position: h.Position, Failures: h.Failures, FailingSince: moment(h.Failing), NextTry: moment(h.NextAt), Why: h.Why}
}

func (a *API) listWebhooks(ctx context.Context, _ *struct{}) (*struct{ Body []Webhook }, error) {
	s, err := a.hooks()
	if err != nil {
		return nil, err
	}
	list, err := s.Hooks(ctx)
	if err != nil {
		return nil, err
	}
	last, err := s.Last(ctx)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body []Webhook }{Body: []Webhook{}}
	for _, h := range list {
		row := webhookJSON(h)
		if d, ok := last[h.ID]; ok {
			row.Last = &d
		}
		out.Body = append(out.Body, row)
	}
	return out, nil
}

func (a *API) listWebhookEvents(context.Context, *struct{}) (*struct{ Body []webhooks.Family }, error) {
	if _, err := a.hooks(); err != nil {
		return nil, err
	}
	return &struct{ Body []webhooks.Family }{webhooks.Catalogue()}, nil
}

func (a *API) rotateWebhook(ctx context.Context, in *WebhookIn) (*webhookOut, error) {
	s, err := a.hooks()
	if err != nil {
		return nil, err
	}
	h, secret, err := s.Rotate(ctx, who(ctx).actor, in.ID)
	if err != nil {
		return nil, err
	}
	out := webhookJSON(h)
	out.Secret = secret.Reveal()
	return &webhookOut{http.StatusOK, out}, nil
}

func (a *API) resendDelivery(ctx context.Context, in *DeliveryIn) (*struct{ Body webhooks.Delivery }, error) {
	s, err := a.hooks()
	if err != nil {
		return nil, err
	}
	d, err := s.Resend(ctx, who(ctx).actor, in.ID, in.Delivery)
	if err != nil {
		return nil, err
	}
	return &struct{ Body webhooks.Delivery }{d}, nil
}

func (a *API) addWebhook(ctx context.Context, in *struct{ Body WebhookChange }) (*webhookOut, error) {
	s, err := a.hooks()
	if err != nil {
		return nil, err
	}
	h, secret, err := s.Add(ctx, who(ctx).actor, in.Body.hook())
	if err != nil {
		return nil, err
	}
	out := webhookJSON(h)
	out.Secret = secret.Reveal()
	return &webhookOut{http.StatusCreated, out}, nil
}

func (a *API) showWebhook(ctx context.Context, in *WebhookIn) (*webhookOut, error) {
	s, err := a.hooks()
	if err != nil {
		return nil, err
	}
	h, err := s.Hook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	last, err := s.Last(ctx)
	if err != nil {
		return nil, err
	}
	out := webhookJSON(h)
	if d, ok := last[h.ID]; ok {
		out.Last = &d
	}
	return &webhookOut{http.StatusOK, out}, nil
}

func (a *API) setWebhook(ctx context.Context, in *struct {
	WebhookIn
	Body WebhookChange
}) (*webhookOut, error) {
	s, err := a.hooks()
	if err != nil {
		return nil, err
	}
	h, err := s.Set(ctx, who(ctx).actor, in.ID, in.Body.hook())
	if err != nil {
		return nil, err
	}
	return &webhookOut{http.StatusOK, webhookJSON(h)}, nil
}

func (a *API) removeWebhook(ctx context.Context, in *WebhookIn) (*nothing, error) {
	s, err := a.hooks()
	if err != nil {
		return nil, err
	}
	return nil, s.Remove(ctx, who(ctx).actor, in.ID)
}

func (a *API) testWebhook(ctx context.Context, in *WebhookIn) (*struct{ Body webhooks.Delivery }, error) {
	s, err := a.hooks()
	if err != nil {
		return nil, err
	}
	d, err := s.Test(ctx, who(ctx).actor, in.ID)
	if err != nil {
		return nil, err
	}
	return &struct{ Body webhooks.Delivery }{d}, nil
}

func (a *API) listDeliveries(ctx context.Context, in *WebhookIn) (*struct{ Body []webhooks.Delivery }, error) {
	s, err := a.hooks()
	if err != nil {
		return nil, err
	}
	list, err := s.Deliveries(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &struct{ Body []webhooks.Delivery }{list}, nil
}
