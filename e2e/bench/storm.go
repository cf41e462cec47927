package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	stormConns = 200
	stormTime  = 10 * time.Second
)

// benchStorm lets 200 connections guess while one person logs in again and again.
func benchStorm(ctx context.Context, bin string) error {
	s, err := start(ctx, bin)
	if err != nil {
		return err
	}
	defer s.stop()
	for _, u := range []string{"victim", "honest"} {
		if err := s.add(ctx, u); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, stormTime)
	defer cancel()
	var guesses atomic.Int64
	var wg sync.WaitGroup
	for i := range stormConns {
		wg.Go(func() { guess(ctx, s.addr["ftp"], i, &guesses) })
	}
	var honest []time.Duration
	refused := 0
	for ctx.Err() == nil {
		begin := time.Now()
		if err := logIn(s.addr["ftp"], "honest"); err != nil {
			refused++
		} else {
			honest = append(honest, time.Since(begin))
		}
	}
	wg.Wait()
	hwm, err := kib(s.status(), "VmHWM")
	if err != nil {
		return err
	}
	if len(honest) == 0 {
		return fmt.Errorf("no honest log-in came through, %d refused", refused)
	}
	slices.Sort(honest)
	fmt.Printf("storm of wrong passwords, %d connections:  %d guesses/s, peak RSS %d MB; honest log-ins %d (p50 %d ms, max %d ms), %d refused\n",
		stormConns, guesses.Load()/int64(stormTime.Seconds()), hwm/1024, len(honest),
		honest[len(honest)/2].Milliseconds(), honest[len(honest)-1].Milliseconds(), refused)
	return nil
}

func guess(ctx context.Context, addr string, i int, n *atomic.Int64) {
	for ctx.Err() == nil {
		c, err := dial(addr, nil)
		if err != nil {
			continue
		}
		_ = c.raw.SetDeadline(time.Now().Add(stormTime))
		for ctx.Err() == nil {
			if err = c.want(fmt.Sprintf("USER victim%d", i%50), ""); err != nil {
				break
			}
			if err = c.want("PASS wrong", ""); err != nil {
				break
			}
			n.Add(1)
		}
		c.close()
	}
}

// logIn is one whole session of a person.
func logIn(addr, user string) error {
	c, err := dial(addr, nil)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.login(user, password); err != nil {
		return err
	}
	return c.want("QUIT", "221")
}
