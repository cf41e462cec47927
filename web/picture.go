package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/gif" // formats that a picture may come in
	"image/jpeg"
	"image/png"
	"io"
	"net/http"

	"trivium/identity"
	"trivium/internal/httpio"
)

// Pictures are the avatars of accounts, the same as in chat.
type Pictures interface {
	// Hash is the name of the account's picture, another one for each; "" where it has none.
	Hash(ctx context.Context, a identity.Account) string
	// Avatar returns it; nil where there is none.
	Avatar(ctx context.Context, a identity.Account) (image []byte, kind string, err error)
	// SetAvatar replaces it, and tells contacts; nil removes it.
	SetAvatar(ctx context.Context, a identity.Account, image []byte, kind string) error
}

// Bounds of a picture.
const (
	pictureFile = 8 << 20    // bytes that may come
	pictureArea = 16_000_000 // pixels that are decoded
	pictureSide = 256        // pixels of what is kept
	jpegQuality = 88
)

var errPicture = errors.New("this is no picture that can be read: choose a PNG, JPEG or GIF of at most 8 MB and 16 million pixels")

// pictures are those of accounts; nil: there are none.
func (s *Server) pictures() Pictures {
	if s.opt.Chat == nil {
		return nil
	}
	return s.opt.Chat.Pictures
}

// self is the visitor's account as far as Pictures needs it.
func (v *visit) self() identity.Account {
	return identity.Account{User: identity.User{ID: v.creds.UserID, Login: v.creds.Login, Domain: v.creds.Domain}}
}

// picture is the address of the visitor's picture; "" where there is none.
func (v *visit) picture() string {
	p := v.server.pictures()
	if p == nil || !v.known {
		return ""
	}
	if hash := p.Hash(v.ctx(), v.self()); hash != "" {
		return "/account/picture?" + hash[:min(len(hash), 12)]
	}
	return ""
}

// getPicture serves the visitor's own. It may have come by chat, from any client, so that the browser is told to
// take it for nothing but a picture.
func (s *Server) getPicture(v *visit) error {
	p := s.pictures()
	if p == nil {
		return errAbsent
	}
	b, kind, err := p.Avatar(v.ctx(), v.self())
	if err != nil {
		return err
	}
	switch kind {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
	default:
		return errAbsent
	}
	if len(b) == 0 {
		return errAbsent
	}
	h := v.Response().Header()
	h.Set("Content-Security-Policy", userContent)
	h.Set("Cache-Control", "private, max-age=86400")
	return v.Blob(http.StatusOK, kind, b)
}

// postPicture takes a picture in a form, and keeps a small square of it that is drawn anew, so that nothing of
// the file stays but what is seen.
func (s *Server) postPicture(v *visit) error {
	p := s.pictures()
	if p == nil {
		return errAbsent
	}
	raw, err := s.readPicture(v)
	if err != nil {
		return err
	}
	select {
	case s.drawing <- struct{}{}:
		defer func() { <-s.drawing }()
	case <-v.ctx().Done():
		return v.ctx().Err()
	}
	small, kind, err := squared(raw)
	if err != nil {
		v.flash(flash{Kind: flashError, Text: v.T("account.picture_bad")})
		return v.see("/account")
	}
	return s.putPicture(v, p, small, kind, "account.picture_set")
}

func (s *Server) postRemovePicture(v *visit) error {
	p := s.pictures()
	if p == nil {
		return errAbsent
	}
	return s.putPicture(v, p, nil, "", "account.picture_gone")
}

func (s *Server) putPicture(v *visit, p Pictures, b []byte, kind, done string) error {
	if err := p.SetAvatar(v.ctx(), v.self(), b, kind); err != nil {
		return v.refused("/account", "account.picture_not", err)
	}
	by := v.actor()
	err := s.opt.Identity.Record(v.ctx(), identity.AuditEvent{Event: "user.picture", Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: v.creds.User,
		Result: "ok", Detail: fmt.Sprintf("%d bytes", len(b))})
	if err != nil {
		return err
	}
	return v.done("/account", done)
}

// readPicture reads the file of the form; the token comes before it.
func (s *Server) readPicture(v *visit) ([]byte, error) {
	mr, err := v.Request().MultipartReader()
	if err != nil {
		return nil, errMalformed
	}
	body := &httpio.Body{Conn: http.NewResponseController(v.Response().Writer), Pause: s.opt.Limits.HTTPBodyTimeout,
		Session: v.browser.Session, Ended: identity.ErrEnded, Explain: bodyError}
	trusted := false
	for range 4 {
		body.Renew()
		part, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, bodyError(err)
		}
		body.Reader = part
		if part.FormName() == tokenField {
			value, err := readField(body)
			if err != nil {
				return nil, err
			}
			if err := v.checkToken(value); err != nil {
				return nil, err
			}
			trusted = true
			continue
		}
		if !trusted {
			return nil, errToken
		}
		b, err := io.ReadAll(io.LimitReader(body, pictureFile+1))
		if err != nil {
			return nil, bodyError(err)
		}
		if len(b) > pictureFile {
			return nil, nil // squared says what is wrong
		}
		return b, nil
	}
	if !trusted {
		return nil, errToken
	}
	return nil, nil
}

// squared draws the middle of a picture anew as a square of at most pictureSide. A PNG keeps what is transparent;
// what is not becomes a JPEG.
func squared(raw []byte) (small []byte, kind string, err error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil || c.Width < 1 || c.Height < 1 || c.Width > pictureArea/c.Height {
		return nil, "", errPicture
	}
	src, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, "", errPicture
	}
	r := src.Bounds()
	side := min(r.Dx(), r.Dy())
	if side < 1 {
		return nil, "", errPicture
	}
	square := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(square, square.Bounds(), src, r.Min.Add(image.Pt((r.Dx()-side)/2, (r.Dy()-side)/2)), draw.Src)
	out := shrunk(square, min(side, pictureSide))
	var b bytes.Buffer
	if out.Opaque() {
		err = jpeg.Encode(&b, out, &jpeg.Options{Quality: jpegQuality})
		return b.Bytes(), "image/jpeg", err
	}
	err = png.Encode(&b, out)
	return b.Bytes(), "image/png", err
}

// shrunk is a square of another size, each of its pixels the mean of those in its place.
func shrunk(src *image.RGBA, side int) *image.RGBA {
	n := src.Bounds().Dx()
	if n == side {
		return src
	}
	out := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			x0, x1, y0, y1 := x*n/side, (x+1)*n/side, y*n/side, (y+1)*n/side
			var sum [4]int
			for sy := y0; sy < y1; sy++ {
				row := src.Pix[sy*src.Stride+4*x0 : sy*src.Stride+4*x1]
				for i, p := range row {
					sum[i&3] += int(p)
				}
			}
			k := (x1 - x0) * (y1 - y0)
			out.SetRGBA(x, y, color.RGBA{uint8(sum[0] / k), uint8(sum[1] / k), uint8(sum[2] / k), uint8(sum[3] / k)})
		}
	}
	return out
}
