(** * The loss of one example as a function of z: stable forms, tangents, the conjugate *)
From Coq Require Import Reals Lra Lia Arith.
From Coquelicot Require Import Coquelicot.
From Crossent Require Import Vectors Gradient.
Open Scope R_scope.

(** ** The loss as a function of z: stable forms, slope, tangents *)

Definition softplus (z : R) : R := ln (1 + exp z).
Definition ell (y z : R) : R := softplus z - y * z.

Theorem sigma_symmetry z : 1 - sigma z = sigma (- z).
Proof.
  unfold sigma. rewrite Ropp_involutive, exp_Ropp. generalize (exp_pos z); intros H. field. lra.
Qed.

(** sigma(z) = e^z / (1 + e^z): the form without overflow for z < 0 *)
Theorem sigma_stable z : sigma z = exp z / (1 + exp z).
Proof. unfold sigma. rewrite exp_Ropp. generalize (exp_pos z); intros H. field. lra. Qed.

Lemma softplus_shift z : softplus z = z + softplus (- z).
Proof.
  unfold softplus. rewrite <- (ln_exp z) at 2.
  rewrite <- ln_mult; [|apply exp_pos|apply one_plus_exp_pos].
  f_equal. rewrite Rmult_plus_distr_l, <- exp_plus, Rplus_opp_r, exp_0. ring.
Qed.

Lemma ln_sigma z : ln (sigma z) = - softplus (- z).
Proof. unfold sigma, Rdiv. rewrite Rmult_1_l. apply ln_Rinv, one_plus_exp_pos. Qed.

(** L = log(1 + e^z) - y z *)
Theorem loss_stable y z : cross_entropy y (sigma z) = ell y z.
Proof.
  unfold cross_entropy, ell. rewrite sigma_symmetry, !ln_sigma, Ropp_involutive, (softplus_shift z). ring.
Qed.

(** log(1 + e^z) = max(z, 0) + log(1 + e^-|z|): no exponential of a positive number *)
Theorem softplus_stable z : softplus z = Rmax z 0 + softplus (- Rabs z).
Proof.
  destruct (Rle_dec 0 z) as [H|H].
  - rewrite Rmax_left, Rabs_pos_eq by lra. apply softplus_shift.
  - rewrite Rmax_right, Rabs_left, Ropp_involutive by lra. ring.
Qed.

(** L = max(z, 0) - y z + log(1 + e^-|z|) *)
Theorem loss_stable_max y z : cross_entropy y (sigma z) = Rmax z 0 - y * z + softplus (- Rabs z).
Proof. rewrite loss_stable. unfold ell. rewrite softplus_stable. ring. Qed.

(** dL/dz = sigma(z) - y, the residual *)
Theorem residual_is_slope y z : is_derive (ell y) z (sigma z - y).
Proof.
  unfold ell, softplus. rewrite sigma_stable. generalize (exp_pos z); intros H. auto_derive; [lra|field; lra].
Qed.

(** 0 < sigma' <= 1/4, attained at 0 *)
Theorem curvature_bounds z : 0 < sigma z * (1 - sigma z) <= 1 / 4.
Proof.
  generalize (sigma_bounds z) (pow2_ge_0 (sigma z - 1 / 2)); intros H K. split; [|lra].
  apply Rmult_lt_0_compat; lra.
Qed.

Theorem curvature_at_0 : is_derive sigma 0 (1 / 4).
Proof. evar_last; [apply eq_4_57|]. unfold sigma. rewrite Ropp_0, exp_0. field. Qed.

Lemma mean_value (f f' : R -> R) (Hf : forall t, is_derive f t (f' t)) a c :
  exists t, Rmin a c <= t <= Rmax a c /\ f c - f a = f' t * (c - a).
Proof.
  apply (MVT_gen f a c f'); intros t _; [apply Hf|].
  apply derivable_continuous_pt. exists (f' t). apply is_derive_Reals, Hf.
Qed.

Theorem sigma_lipschitz a c : Rabs (sigma c - sigma a) <= 1 / 4 * Rabs (c - a).
Proof.
  destruct (mean_value sigma _ eq_4_57 a c) as (t & _ & ->). rewrite Rabs_mult.
  apply Rmult_le_compat_r; [apply Rabs_pos|].
  generalize (curvature_bounds t); intros H. rewrite Rabs_pos_eq; lra.
Qed.

Theorem sigma_increasing a c : a <= c -> sigma a <= sigma c.
Proof.
  intros H. destruct (mean_value sigma _ eq_4_57 a c) as (t & _ & E).
  generalize (curvature_bounds t); intros K. generalize (Rmult_le_pos _ (c - a) (Rlt_le _ _ (proj1 K))). lra.
Qed.

(** Above its tangents ... *)
Theorem ell_above_tangent y a c : ell y a + (sigma a - y) * (c - a) <= ell y c.
Proof.
  destruct (mean_value (ell y) _ (residual_is_slope y) a c) as (t & H & E).
  cut (0 <= (sigma t - sigma a) * (c - a)); [lra|].
  destruct (Rle_dec a c) as [K|K].
  - rewrite Rmin_left in H by exact K. generalize (sigma_increasing a t); intros. apply Rmult_le_pos; lra.
  - rewrite Rmax_left in H by lra. generalize (sigma_increasing t a (proj2 H)); nra.
Qed.

(** ... and below the parabola of curvature 1/4 that touches it. *)
Theorem ell_below_parabola y a c :
  ell y c <= ell y a + (sigma a - y) * (c - a) + 1 / 8 * (c - a) ^ 2.
Proof.
  assert (D : forall t, is_derive (fun t => (sigma a - y) * (t - a) + 1 / 8 * (t - a) ^ 2 - ell y t) t
                                  (sigma a - sigma t + 1 / 4 * (t - a))).
  { intros t. evar_last.
    - apply (is_derive_minus (fun t => (sigma a - y) * (t - a) + 1 / 8 * (t - a) ^ 2) (ell y) t
               (sigma a - y + 1 / 4 * (t - a))); [auto_derive; [exact I|field]|apply residual_is_slope].
    - unfold minus, plus, opp; simpl. ring. }
  destruct (mean_value _ _ D a c) as (t & H & E).
  cut (0 <= (sigma a - sigma t + 1 / 4 * (t - a)) * (c - a)); [lra|].
  generalize (sigma_lipschitz a t). destruct (Rle_dec a c) as [K|K].
  - rewrite Rmin_left in H by exact K. rewrite (Rabs_pos_eq (t - a)) by lra.
    generalize (Rle_abs (sigma t - sigma a)); intros. apply Rmult_le_pos; lra.
  - rewrite Rmax_left in H by lra. rewrite (Rabs_left1 (t - a)) by lra.
    generalize (Rle_abs (- (sigma t - sigma a))); rewrite Rabs_Ropp; nra.
Qed.

(** ** The conjugate, source of the duality gap *)

Definition conjugate (y r : R) : R := (y + r) * ln (y + r) + (1 - y - r) * ln (1 - y - r).

(** L(z) + L*(r) = z r at r = sigma(z) - y ... *)
Theorem conjugate_attained y z : ell y z + conjugate y (sigma z - y) = z * (sigma z - y).
Proof.
  unfold conjugate, ell. replace (y + (sigma z - y)) with (sigma z) by ring.
  replace (1 - y - (sigma z - y)) with (1 - sigma z) by ring.
  assert (E : ln (1 - sigma z) = - softplus z) by (rewrite sigma_symmetry, ln_sigma, Ropp_involutive; reflexivity).
  rewrite E, ln_sigma, (softplus_shift z). ring.
Qed.

Lemma softplus_pos z : 0 < softplus z.
Proof. unfold softplus. rewrite <- ln_1. apply ln_increasing; generalize (exp_pos z); lra. Qed.

(** ... and for every other pair the left side is larger: L*(r) = max_z (z r - L(z)). At the ends of the interval
    0 ln 0 = 0, in Coq as everywhere else; a probability that rounds to 0 or 1 puts r there. *)
Theorem conjugate_bound y r z : 0 <= y + r <= 1 -> z * r <= ell y z + conjugate y r.
Proof.
  intros [[H0|H0] [H1|H1]].
  - set (a := ln ((y + r) / (1 - (y + r)))).
    assert (E : sigma a = y + r).
    { rewrite sigma_stable. unfold a. rewrite exp_ln by (apply Rdiv_lt_0_compat; lra). field; lra. }
    generalize (ell_above_tangent y a z) (conjugate_attained y a). rewrite E.
    replace (y + r - y) with r by ring. lra.
  - replace r with (1 - y) by lra. unfold conjugate, ell. rewrite (softplus_shift z).
    replace (y + (1 - y)) with 1 by ring. replace (1 - y - (1 - y)) with 0 by ring.
    rewrite ln_1. generalize (softplus_pos (- z)). lra.
  - replace r with (- y) by lra. unfold conjugate, ell.
    replace (y + - y) with 0 by ring. replace (1 - y - - y) with 1 by ring.
    rewrite ln_1. generalize (softplus_pos z). lra.
  - lra.
Qed.
