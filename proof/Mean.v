(** * The mean loss over m examples: gradient, Hessian, convexity, descent, duality *)
From Coq Require Import Reals Lra Lia Arith.
From Coquelicot Require Import Coquelicot.
From Crossent Require Import Vectors Gradient Loss.
Open Scope R_scope.

(** ** The mean over m examples

    Here the bias is one of the weights: that of a feature which is always 1. The last section writes it out. *)
Section Examples.
  Variables (m d : nat) (X : nat -> nat -> R) (Y : nat -> R).

  Definition mean (f : nat -> R) : R := / INR m * sum m f.
  Let z (w : nat -> R) (i : nat) : R := dot d w (X i).
  Definition mean_loss (w : nat -> R) : R := mean (fun i => cross_entropy (Y i) (sigma (z w i))).
  Definition gradient (w : nat -> R) (j : nat) : R := mean (fun i => (sigma (z w i) - Y i) * X i j).
  Definition hessian (w : nat -> R) (j k : nat) : R :=
    mean (fun i => sigma (z w i) * (1 - sigma (z w i)) * X i j * X i k).
  Definition mean_square : R := mean (fun i => dot d (X i) (X i)).

  Lemma inv_m_nonneg : 0 <= / INR m.
  Proof.
    destruct (Nat.eq_dec m 0) as [->|E]; [simpl; rewrite Rinv_0; lra|].
    apply Rlt_le, Rinv_0_lt_compat, lt_0_INR. lia.
  Qed.

  Lemma mean_ext f g : (forall i, f i = g i) -> mean f = mean g.
  Proof. intros H. unfold mean. f_equal. apply sum_ext; auto. Qed.

  Lemma mean_le f g : (forall i, f i <= g i) -> mean f <= mean g.
  Proof. intros H. apply Rmult_le_compat_l; [apply inv_m_nonneg|apply sum_le; auto]. Qed.

  Lemma mean_nonneg f : (forall i, 0 <= f i) -> 0 <= mean f.
  Proof. intros H. apply Rmult_le_pos; [apply inv_m_nonneg|apply sum_nonneg; auto]. Qed.

  Lemma mean_plus f g : mean (fun i => f i + g i) = mean f + mean g.
  Proof. unfold mean. rewrite sum_plus. ring. Qed.

  Lemma mean_scal c f : mean (fun i => c * f i) = c * mean f.
  Proof. unfold mean. rewrite sum_scal. ring. Qed.

  Lemma mean_is_derive (F : nat -> R -> R) (F' : nat -> R) t :
    (forall i, is_derive (F i) t (F' i)) -> is_derive (fun s => mean (fun i => F i s)) t (mean F').
  Proof. intros H. apply is_derive_scal, sum_is_derive; auto. Qed.

  (** (X^T c).v = c.(X v), divided by m *)
  Lemma mean_dot c v : dot d (fun j => mean (fun i => c i * X i j)) v = mean (fun i => c i * dot d v (X i)).
  Proof.
    unfold dot at 1, mean. rewrite (sum_ext d _ (fun j => / INR m * sum m (fun i => c i * (v j * X i j)))).
    - rewrite sum_scal, <- sum_swap. f_equal. apply sum_ext; intros i _. apply sum_scal.
    - intros j _. rewrite Rmult_assoc, (Rmult_comm _ (v j)), <- sum_scal. f_equal.
      apply sum_ext; intros; ring.
  Qed.

  Lemma mean_loss_ell w : mean_loss w = mean (fun i => ell (Y i) (z w i)).
  Proof. apply mean_ext; intros i. apply loss_stable. Qed.

  Lemma z_is_derive w i j : (j < d)%nat -> is_derive (fun t => z (set w j t) i) (w j) (X i j).
  Proof.
    intros H. apply (is_derive_ext (fun t => dot d (set w j t) (X i) + 0)); [intros t; apply Rplus_0_r|].
    apply score_is_derive_w, H.
  Qed.

  (** The gradient is X^T (sigma(X w) - y) / m ... *)
  Theorem mean_gradient w j : (j < d)%nat ->
    is_derive (fun t => mean_loss (set w j t)) (w j) (gradient w j).
  Proof.
    intros H. apply (mean_is_derive (fun i t => cross_entropy (Y i) (sigma (z (set w j t) i)))); intros i.
    generalize (sigma_bounds (z w i)); intros Hs. evar_last.
    - apply (eq_4_61_line1 (Y i) (fun t => z (set w j t) i)), z_is_derive, H.
    - cbv beta. replace (z (set w j (w j)) i) with (z w i); [field; lra|].
      symmetry; apply dot_set_same, H.
  Qed.

  (** ... and the Hessian is X^T diag(sigma (1 - sigma)) X / m. *)
  Theorem mean_hessian w j k : (k < d)%nat ->
    is_derive (fun t => gradient (set w k t) j) (w k) (hessian w j k).
  Proof.
    intros H. apply (mean_is_derive (fun i t => (sigma (z (set w k t) i) - Y i) * X i j)); intros i.
    apply (is_derive_ext (fun t => X i j * (sigma (z (set w k t) i) - Y i))); [intros; apply Rmult_comm|].
    evar_last.
    - apply is_derive_scal, (is_derive_minus (fun t => sigma (z (set w k t) i)) (fun _ => Y i));
        [|apply is_derive_const].
      apply (eq_4_58 sigma), z_is_derive, H. apply eq_4_57.
    - unfold minus, plus, opp, zero; simpl. unfold z. rewrite (dot_set_same d w (X i) k H). ring.
  Qed.

  (** v^T H v = mean of sigma (1 - sigma) (v.x)^2 *)
  Theorem hessian_quadratic w v :
    dot d (fun j => dot d (hessian w j) v) v
    = mean (fun i => sigma (z w i) * (1 - sigma (z w i)) * dot d v (X i) ^ 2).
  Proof.
    rewrite (mean_ext _ (fun i => sigma (z w i) * (1 - sigma (z w i)) * dot d v (X i) * dot d v (X i)))
      by (intros; ring).
    rewrite <- mean_dot. apply sum_ext; intros j _. f_equal. unfold hessian. rewrite mean_dot.
    apply mean_ext; intros; ring.
  Qed.

  Theorem hessian_psd w v : 0 <= dot d (fun j => dot d (hessian w j) v) v.
  Proof.
    rewrite hessian_quadratic. apply mean_nonneg; intros i.
    apply Rmult_le_pos; [apply Rlt_le, curvature_bounds|apply pow2_ge_0].
  Qed.

  (** *** Convexity *)

  Lemma gradient_dot w v : dot d (gradient w) v = mean (fun i => (sigma (z w i) - Y i) * dot d v (X i)).
  Proof. apply mean_dot. Qed.

  Theorem above_tangent w v : mean_loss w + dot d (gradient w) (fun j => v j - w j) <= mean_loss v.
  Proof.
    rewrite !mean_loss_ell, gradient_dot, <- mean_plus. apply mean_le; intros i. rewrite dot_minus.
    apply ell_above_tangent.
  Qed.

  Theorem stationary_is_global_minimum w :
    (forall j, (j < d)%nat -> gradient w j = 0) -> forall v, mean_loss w <= mean_loss v.
  Proof.
    intros H v. generalize (above_tangent w v). replace (dot d (gradient w) _) with 0; [lra|].
    symmetry; rewrite <- (sum_0 d). apply sum_ext; intros j Hj. rewrite H by exact Hj. ring.
  Qed.

  Theorem convex u v q : 0 <= q <= 1 ->
    mean_loss (fun j => q * u j + (1 - q) * v j) <= q * mean_loss u + (1 - q) * mean_loss v.
  Proof.
    intros Hq. set (w := fun j => q * u j + (1 - q) * v j).
    generalize (above_tangent w u) (above_tangent w v); intros Hu Hv.
    apply (Rmult_le_compat_l q) in Hu; [|lra]. apply (Rmult_le_compat_l (1 - q)) in Hv; [|lra].
    rewrite (dot_comm d (gradient w)), dot_minus in Hu. rewrite (dot_comm d (gradient w)), dot_minus in Hv.
    generalize (dot_lin d q u (1 - q) v (gradient w)). fold w. intros E. nra.
  Qed.

  (** *** The step of gradient descent *)

  Lemma dot_square_bound v i : dot d v (X i) ^ 2 <= dot d v v * dot d (X i) (X i).
  Proof.
    rewrite <- !norm_sqr. generalize (cauchy_schwarz d v (X i)) (Rabs_pos (dot d v (X i))); intros H K.
    rewrite <- (pow2_abs (dot d v (X i))). nra.
  Qed.

  Theorem below_parabola w v :
    mean_loss v <= mean_loss w + dot d (gradient w) (fun j => v j - w j)
                   + 1 / 8 * mean_square * dot d (fun j => v j - w j) (fun j => v j - w j).
  Proof.
    set (h := fun j => v j - w j). unfold mean_square.
    rewrite !mean_loss_ell, gradient_dot, (Rmult_assoc (1 / 8)), (Rmult_comm (mean _)), <- !mean_scal, <- !mean_plus.
    apply mean_le; intros i. generalize (ell_below_parabola (Y i) (z w i) (z v i)) (dot_square_bound h i).
    replace (dot d h (X i)) with (z v i - z w i) by (symmetry; apply dot_minus). lra.
  Qed.

  (** The gradient is the Frechet derivative: the error of the linear approximation is of second order. *)
  Theorem frechet w : forall eps : R, 0 < eps -> exists delta : R, 0 < delta /\
    forall h, norm d h < delta ->
      Rabs (mean_loss (fun j => w j + h j) - mean_loss w - dot d (gradient w) h) <= eps * norm d h.
  Proof.
    intros eps Heps. assert (HB : 0 <= mean_square) by (apply mean_nonneg; intros; apply dot_nonneg).
    exists (eps / (1 + mean_square)). split; [apply Rdiv_lt_0_compat; lra|]. intros h Hh.
    generalize (above_tangent w (fun j => w j + h j)) (below_parabola w (fun j => w j + h j)).
    replace (dot d (gradient w) (fun j => w j + h j - w j)) with (dot d (gradient w) h)
      by (apply sum_ext; intros; ring).
    replace (dot d (fun j => w j + h j - w j) (fun j => w j + h j - w j)) with (dot d h h)
      by (apply sum_ext; intros; ring).
    rewrite <- norm_sqr. intros Lo Hi. rewrite Rabs_pos_eq by lra.
    apply Rle_trans with (1 / 8 * mean_square * (norm d h * norm d h)); [lra|].
    generalize (norm_nonneg d h); intros Hn.
    apply (Rmult_lt_compat_r (1 + mean_square)) in Hh; [|lra].
    replace (eps / (1 + mean_square) * (1 + mean_square)) with eps in Hh by (field; lra).
    rewrite <- Rmult_assoc. apply Rmult_le_compat_r; [exact Hn|]. nra.
  Qed.

  (** The gradient is Lipschitz with constant 1/4 mean |x|^2 ... *)
  Theorem gradient_lipschitz u v :
    norm d (fun j => gradient u j - gradient v j) <= 1 / 4 * mean_square * norm d (fun j => u j - v j).
  Proof.
    set (g := fun j => gradient u j - gradient v j). set (h := fun j => u j - v j).
    assert (H : norm d g * norm d g <= norm d g * (1 / 4 * mean_square * norm d h)).
    { rewrite norm_sqr. unfold g at 1. rewrite dot_minus, !gradient_dot. unfold mean_square.
      replace (norm d g * (1 / 4 * mean (fun i => dot d (X i) (X i)) * norm d h))
        with (mean (fun i => 1 / 4 * (norm d g * norm d h) * dot d (X i) (X i))) by (rewrite mean_scal; ring).
      replace (mean (fun i => (sigma (z u i) - Y i) * dot d g (X i)) - mean (fun i => (sigma (z v i) - Y i) * dot d g (X i)))
        with (mean (fun i => (sigma (z u i) - sigma (z v i)) * dot d g (X i))).
      2:{ rewrite (mean_ext _ (fun i => (sigma (z u i) - Y i) * dot d g (X i)
                                        + -1 * ((sigma (z v i) - Y i) * dot d g (X i)))) by (intros; ring).
          rewrite mean_plus, mean_scal. ring. }
      apply mean_le; intros i. eapply Rle_trans; [apply Rle_abs|]. rewrite Rabs_mult, <- norm_sqr.
      generalize (sigma_lipschitz (z v i) (z u i)). unfold z. rewrite <- dot_minus. fold h.
      generalize (cauchy_schwarz d h (X i)) (cauchy_schwarz d g (X i)) (norm_nonneg d (X i)); intros Hh Hg Hx Hs.
      apply Rle_trans with (1 / 4 * (norm d h * norm d (X i)) * (norm d g * norm d (X i))); [|right; ring].
      apply Rmult_le_compat; try apply Rabs_pos; lra. }
    destruct (norm_nonneg d g) as [Hg|<-]; [exact (Rmult_le_reg_l _ _ _ Hg H)|].
    apply Rmult_le_pos; [|apply norm_nonneg]. apply Rmult_le_pos; [lra|].
    apply mean_nonneg; intros; apply dot_nonneg.
  Qed.

  (** ... so a step along (4.61) of rate at most 4 / mean |x|^2 lowers the loss by half of rate |gradient|^2. *)
  Theorem descent_step w rate : 0 <= rate -> rate * mean_square <= 4 ->
    mean_loss (fun j => w j - rate * gradient w j)
    <= mean_loss w - rate / 2 * dot d (gradient w) (gradient w).
  Proof.
    intros H0 H. generalize (below_parabola w (fun j => w j - rate * gradient w j)) (dot_nonneg d (gradient w)).
    replace (dot d (gradient w) (fun j => w j - rate * gradient w j - w j))
      with (- rate * dot d (gradient w) (gradient w))
      by (unfold dot; rewrite <- sum_scal; apply sum_ext; intros; ring).
    replace (dot d _ (fun j => w j - rate * gradient w j - w j))
      with (rate * rate * dot d (gradient w) (gradient w))
      by (unfold dot; rewrite <- sum_scal; apply sum_ext; intros; ring).
    generalize (dot d (gradient w) (gradient w)); intros G K HG.
    cut (0 <= rate * (4 - rate * mean_square) * G); [lra|].
    apply Rmult_le_pos; [apply Rmult_le_pos; lra|exact HG].
  Qed.

  (** *** The duality gap: for any admissible r, D(r) is below the penalised objective of every w. *)
  Theorem weak_duality C w (r : nat -> R) : 0 <= C -> (forall i, 0 <= Y i + r i <= 1) ->
    let v := fun j => C * sum m (fun i => r i * X i j) in
    - C * sum m (fun i => conjugate (Y i) (r i)) - 1 / 2 * dot d v v
    <= C * sum m (fun i => ell (Y i) (z w i)) + 1 / 2 * dot d w w.
  Proof.
    intros HC Hr v.
    assert (E : dot d w v = C * sum m (fun i => z w i * r i)).
    { unfold z, dot, v. rewrite (sum_ext d _ (fun j => C * sum m (fun i => w j * X i j * r i))).
      - rewrite sum_scal, <- sum_swap. f_equal. apply sum_ext; intros i _.
        rewrite Rmult_comm, <- sum_scal. apply sum_ext; intros; ring.
      - intros j _. rewrite <- Rmult_assoc, (Rmult_comm (w j)), Rmult_assoc, <- sum_scal. f_equal.
        apply sum_ext; intros; ring. }
    assert (H : sum m (fun i => z w i * r i)
                <= sum m (fun i => ell (Y i) (z w i)) + sum m (fun i => conjugate (Y i) (r i))).
    { rewrite <- sum_plus. apply sum_le; intros i _. apply conjugate_bound, Hr. }
    apply (Rmult_le_compat_l C) in H; [|exact HC].
    generalize (dot_nonneg d (fun j => 1 * w j + 1 * v j)). rewrite dot_comb, E. lra.
  Qed.
End Examples.

(** ** The bias written out: the weight of a feature that is always 1 *)

(** [snoc n w b] is the vector (w_0, ..., w_(n-1), b). *)
Definition snoc (n : nat) (w : nat -> R) (b : R) : nat -> R := fun j => if lt_dec j n then w j else b.

Lemma snoc_lt n w b j : (j < n)%nat -> snoc n w b j = w j.
Proof. intros H. unfold snoc. destruct (lt_dec j n); [reflexivity|lia]. Qed.

Lemma snoc_last n w b : snoc n w b n = b.
Proof. unfold snoc. destruct (lt_dec n n); [lia|reflexivity]. Qed.

Lemma dot_snoc n u a v c : dot (S n) (snoc n u a) (snoc n v c) = dot n u v + a * c.
Proof.
  unfold dot; simpl. rewrite !snoc_last. f_equal. apply sum_ext; intros j H. rewrite !snoc_lt by exact H.
  reflexivity.
Qed.

Section Bias.
  Variables (m n : nat) (X : nat -> nat -> R) (Y : nat -> R).
  Let X1 (i : nat) : nat -> R := snoc n (X i) 1.
  Let p (w : nat -> R) (b : R) (i : nat) : R := sigma (dot n w (X i) + b).

  Lemma score_with_bias w b i : dot (S n) (snoc n w b) (X1 i) = dot n w (X i) + b.
  Proof. unfold X1. rewrite dot_snoc. ring. Qed.

  Theorem mean_loss_with_bias w b :
    mean_loss m (S n) X1 Y (snoc n w b) = mean m (fun i => loss n (X i) (Y i) w b).
  Proof. apply mean_ext; intros i. unfold loss. rewrite score_with_bias. reflexivity. Qed.

  Theorem gradient_with_bias w b :
    (forall j, (j < n)%nat ->
       gradient m (S n) X1 Y (snoc n w b) j = mean m (fun i => (p w b i - Y i) * X i j))
    /\ gradient m (S n) X1 Y (snoc n w b) n = mean m (fun i => p w b i - Y i).
  Proof.
    split; [intros j H|]; apply mean_ext; intros i; rewrite score_with_bias; unfold X1;
      [rewrite snoc_lt by exact H|rewrite snoc_last, Rmult_1_r]; reflexivity.
  Qed.

  Theorem hessian_with_bias w b :
    let H := hessian m (S n) X1 (snoc n w b) in
    (forall j k, (j < n)%nat -> (k < n)%nat ->
       H j k = mean m (fun i => p w b i * (1 - p w b i) * X i j * X i k))
    /\ (forall j, (j < n)%nat -> H j n = mean m (fun i => p w b i * (1 - p w b i) * X i j))
    /\ H n n = mean m (fun i => p w b i * (1 - p w b i)).
  Proof.
    intros H. split; [|split]; intros; apply mean_ext; intros i; rewrite score_with_bias; unfold X1;
      rewrite ?snoc_last, ?snoc_lt by assumption; rewrite ?Rmult_1_r; reflexivity.
  Qed.

  (** The constant [mean_square], mean |(x, 1)|^2, is mean (|x|^2 + 1). *)
  Theorem mean_square_with_bias : mean_square m (S n) X1 = mean m (fun i => dot n (X i) (X i) + 1).
  Proof. apply mean_ext; intros i. unfold X1. rewrite dot_snoc. ring. Qed.

  Corollary gradient_lipschitz_with_bias u a v c :
    norm (S n) (fun j => gradient m (S n) X1 Y (snoc n u a) j - gradient m (S n) X1 Y (snoc n v c) j)
    <= 1 / 4 * mean m (fun i => dot n (X i) (X i) + 1) * norm (S n) (fun j => snoc n u a j - snoc n v c j).
  Proof. rewrite <- mean_square_with_bias. apply gradient_lipschitz. Qed.

  (** The default rate of gradient descent, 4 / mean (|x|^2 + 1), never raises the loss. *)
  Corollary descent_step_with_bias w b rate :
    0 <= rate -> rate * mean m (fun i => dot n (X i) (X i) + 1) <= 4 ->
    let g := gradient m (S n) X1 Y (snoc n w b) in
    mean_loss m (S n) X1 Y (fun j => snoc n w b j - rate * g j)
    <= mean_loss m (S n) X1 Y (snoc n w b) - rate / 2 * dot (S n) g g.
  Proof. rewrite <- mean_square_with_bias. apply descent_step. Qed.
End Bias.
