package prooftest

import "latchkey/bot"

// View reads the rig's store.
func View[T any](r *Rig, f func(bot.Tx) (T, error)) T {
	r.Helper()
	var v T
	err := r.DB.View(r.Context(), func(tx bot.Tx) (err error) {
		v, err = f(tx)
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	return v
}

// Methods lists Ann's methods in a state, oldest first.
func (r *Rig) Methods(state bot.MethodState) (on []bot.Method) {
	r.Helper()
	for _, m := range View(r, func(tx bot.Tx) ([]bot.Method, error) { return tx.Methods(AnnID) }) {
		if m.State == state {
			on = append(on, m)
		}
	}
	return on
}

// SeedOf opens the key of her first authenticator in a state.
func (r *Rig) SeedOf(state bot.MethodState) []byte {
	r.Helper()
	for _, m := range r.Methods(state) {
		if m.Kind == bot.Authenticator {
			seed, err := r.Ring.Open(m.Sealed, m.Place())
			if err != nil {
				r.Fatal(err)
			}
			return seed
		}
	}
	r.Fatal("no authenticator")
	return nil
}

// Phone makes an active phone of hers.
func (r *Rig) Phone(number string) {
	r.Helper()
	r.Set("via", "sms").Want("phone.accept", number, "ok")
	r.Want("code.send", "", "sent")
	r.Deliver()
	r.Want("code.check", r.Texts.Code(r.T, r.Texts.Calls()), "ok")
}
