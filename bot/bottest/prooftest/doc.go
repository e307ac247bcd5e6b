// Package prooftest is a rig of the two services that prove people, enroll and
// verify, over a real store, vault and slow hash, for the tests of both.
//
// It is in charge of setting them up with one person, Ann, and of running
// checks, forms and jobs as a turn and an outbox do: in a transaction of the
// store, with the declared outcomes held against what came. Only tests import
// it, and it asserts nothing about them by itself.
//
//	r := prooftest.New(t)
//	r.Want("phone.accept", "7045550148", "ok")
//	r.Want("code.send", "", "sent")
//	r.Deliver()
//	r.Want("code.check", r.Texts.Code(t, 1), "ok")
package prooftest
