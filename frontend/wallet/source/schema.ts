export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AttemptShown
         * @description One try to pay: at which account, by which product, and where it stands.
         */
        AttemptShown: {
            /** @description A payment attempt; the channel's out_trade_no. */
            id: string;
            /** @description A channel account, by its setting. */
            account: string;
            product: string;
            state: string;
            /** @description RFC 3339, UTC, milliseconds. */
            created_at: string;
            /** @default  */
            transaction_id?: string;
        };
        /**
         * BalanceShown
         * @description One balance. Amount + incoming is exact from the moment a claim is answered.
         */
        BalanceShown: {
            book: string;
            currency: string;
            /** @description Fen (分). */
            amount_fen: number;
            /** @description Fen (分). */
            incoming_fen: number;
            /** @description Fen (分). */
            held_fen: number;
            /** @description Fen (分). */
            available_fen: number;
        };
        /**
         * Balances
         * @description A person's balances, and when they were read by the business clock.
         */
        Balances: {
            balances: components["schemas"]["BalanceShown"][];
            /** @description RFC 3339, UTC, milliseconds. */
            as_of: string;
        };
        /**
         * ClaimList
         * @description Claims of a packet, the newest first.
         */
        ClaimList: {
            claims: components["schemas"]["ClaimShown"][];
            next_cursor: string | null;
        };
        /**
         * ClaimMade
         * @description A share that was taken. The same person always gets this answer again.
         */
        ClaimMade: {
            status: string;
            /** @description Fen (分). */
            amount_fen: number;
            index: number;
            receipt: components["schemas"]["Receipt"];
        };
        /**
         * ClaimShown
         * @description One claim in the list; a ticket has no amount until its draw gives it one.
         */
        ClaimShown: {
            /** @description A person. */
            user_id: string;
            nickname: string;
            /** @description RFC 3339, UTC, milliseconds. */
            at: string;
            status: string;
            /** @description Fen (分). */
            amount_fen?: number;
            /** @default false */
            is_best?: boolean;
        };
        /**
         * CoinsShown
         * @description A person's coins: paid and bonus, those of both set aside, and which bonus ends when.
         */
        CoinsShown: {
            paid: number;
            bonus: number;
            frozen: number;
            available: number;
            /** @description Fen (分). */
            worth_fen: number;
            ending: components["schemas"]["Ending"][];
        };
        /**
         * CoverList
         * @description A person's covers, the newest first.
         */
        CoverList: {
            covers: components["schemas"]["CoverShown"][];
        };
        /**
         * CoverShown
         * @description A cover as its owner sees it; `id` is what a packet takes as its `cover`.
         */
        CoverShown: {
            /** @description A picture of somebody's own, as a cover. */
            id: string;
            /** @description Where its picture stands; needs no key. */
            image: string;
            /** @description RFC 3339, UTC, milliseconds. */
            created_at: string;
        };
        /**
         * Ending
         * @description Bonus coins that end at a moment.
         */
        Ending: {
            /** @description RFC 3339, UTC, milliseconds. */
            at: string;
            coins: number;
        };
        /**
         * Entered
         * @description A ticket of a draw; its result stands in the packet once the draw is held.
         */
        Entered: {
            status: string;
            receipt: components["schemas"]["Receipt"];
        };
        /**
         * EntryShown
         * @description One thing that happened; `id` is its journal row.
         */
        EntryShown: {
            id: string;
            /** @description RFC 3339, UTC, milliseconds. */
            at: string;
            kind: string;
            zh: string;
            en: string;
            facts: {
                [key: string]: string | number;
            };
            movements: components["schemas"]["MovementShown"][];
        };
        /**
         * FactorCapShown
         * @description What a person may pay a day by factors of a strength.
         */
        FactorCapShown: {
            id: string;
            strength: string;
            /** @description Fen (分). */
            cap_fen: number;
            source: string;
        };
        /**
         * FactorRuleShown
         * @description On which occasion a payment of a person has to be proven, and from which amount on.
         */
        FactorRuleShown: {
            occasion: string;
            /** @description Fen (分). */
            amount_fen_min: number;
            message_zh: string;
            message_en: string;
            source: string;
        };
        /**
         * GiftRowShown
         * @description One gift of the catalogue, and its price in coins.
         */
        GiftRowShown: {
            code: string;
            name_zh: string;
            name_en: string;
            coins: number;
        };
        /**
         * GiftRows
         * @description The catalogue.
         */
        GiftRows: {
            gifts: components["schemas"]["GiftRowShown"][];
        };
        /**
         * GiftShown
         * @description A gift: its coins, what they had cost, and how that is shared.
         */
        GiftShown: {
            /** @description A gift. */
            id: string;
            state: string;
            /** @description A person. */
            user_id: string;
            /** @description A person. */
            streamer_id: string;
            code: string;
            count: number;
            coins: number;
            /** @description Fen (分). */
            value_fen: number;
            /** @description Fen (分). */
            streamer_fen: number;
            /** @description Fen (分). */
            platform_fen: number;
            scene: string;
            /** @description RFC 3339, UTC, milliseconds. */
            created_at: string;
            /** @description RFC 3339, UTC, milliseconds. */
            settles_at: string;
        };
        /**
         * Hindrance
         * @description Why there is no pay sheet now, and in the channel's own word if it gave one.
         */
        Hindrance: {
            code: string;
            message_zh: string;
            message_en: string;
            /** @default  */
            detail?: string;
        };
        /**
         * History
         * @description A page of packets as one viewer sees them, the newest first.
         */
        History: {
            packets: components["schemas"]["PacketShown"][];
            next_cursor: string | null;
        };
        /**
         * LimitList
         * @description Every row that binds in this operating profile.
         */
        LimitList: {
            limits: components["schemas"]["LimitShown"][];
            /** @default [] */
            factor_caps?: components["schemas"]["FactorCapShown"][];
            /** @default [] */
            factor_rules?: components["schemas"]["FactorRuleShown"][];
        };
        /**
         * LimitShown
         * @description One row: for a class and a span at most `cap`, in fen or in number; the strictest binds.
         */
        LimitShown: {
            account_class: number;
            span: string;
            cap: number;
            source: string;
        };
        /**
         * LineShown
         * @description One movement; `what` says what it was for, `object_id` names that thing.
         */
        LineShown: {
            id: string;
            /** @description RFC 3339, UTC, milliseconds. */
            at: string;
            what: string;
            /** @description Fen (分). */
            amount_fen: number;
            /** @description Fen (分). */
            balance_after_fen: number;
            object_id: string;
            other_id: string | null;
            other_nickname: string | null;
        };
        /**
         * MovementShown
         * @description Money moved: from which book to which, in fen or coins.
         */
        MovementShown: {
            debit: string;
            credit: string;
            currency: string;
            amount: number;
        };
        /**
         * NewPacket
         * @description A packet to send.
         */
        NewPacket: {
            /** @description A person. */
            sender_id?: string;
            /** @enum {unknown} */
            kind: "draw" | "equal" | "lucky" | "passphrase" | "targeted";
            /** @default null */
            count?: number | null;
            /** @default null */
            total_fen?: number | null;
            /** @default null */
            each_fen?: number | null;
            /** @default  */
            greeting?: string;
            /**
             * @description `plum`, `wave`, `lantern`, a word of your own, or the id of a picture of the sender's.
             * @default
             */
            cover?: string;
            /** @default  */
            conversation_id?: string;
            /** @default [] */
            recipient_ids?: string[];
            /** @default  */
            passphrase?: string;
            /** @default null */
            draw_at?: string | null;
            /** @default null */
            expires_in_s?: number | null;
            /** @default false */
            await_entropy?: boolean;
            /**
             * @description 1 is wild, larger is more even; the same for all.
             * @default 2
             */
            spread?: number;
            /**
             * @description Fen (分), an integer as JSON writes integers: 1.0 and 1e2 are refused.
             * @default 1
             */
            share_fen_min?: number;
            /** @default null */
            share_fen_max?: number | null;
            /**
             * @default balance
             * @enum {unknown}
             */
            pay_with?: "balance" | "channel";
            /** @default null */
            product?: ("app" | "h5" | "jsapi" | "mini_program" | "native") | null;
            /** @default null */
            payer?: components["schemas"]["Payer"] | null;
            /** @default  */
            client_ip?: string;
        };
        /**
         * NewTopUp
         * @description A top-up: a plan from the list, or an amount for the balance.
         *
         *         Over a channel it needs a `product`; `pay_with` balance pays a plan of coins at once.
         */
        NewTopUp: {
            /** @description A person. */
            user_id?: string;
            /** @default  */
            plan_id?: string;
            /** @default null */
            amount_fen?: number | null;
            /**
             * @default channel
             * @enum {unknown}
             */
            pay_with?: "balance" | "channel";
            /** @default null */
            product?: ("app" | "h5" | "jsapi" | "mini_program" | "native") | null;
            /** @default null */
            payer?: components["schemas"]["Payer"] | null;
            /** @default  */
            client_ip?: string;
            /** @default  */
            scene?: string;
            /** @default null */
            expires_in_s?: number | null;
        };
        /**
         * NoticeShown
         * @description A notice as it came in, opened for whoever may see it.
         */
        NoticeShown: {
            key: string;
            digest: string;
            headers: {
                [key: string]: string;
            };
            body: string;
        };
        /**
         * OfferShown
         * @description A way that is open while no channel takes the payment: post to `path` to take it.
         */
        OfferShown: {
            /** @description `wallet` or `advance`. */
            way: string;
            path: string;
            /** @description Fen (分). */
            amount_fen: number;
            message_zh: string;
            message_en: string;
            /**
             * @description How long an unpaid advance is left open.
             * @default 0
             */
            due_in_s?: number;
        };
        /**
         * OrderList
         * @description A page of top-ups, the newest first.
         */
        OrderList: {
            top_ups: components["schemas"]["OrderShown"][];
            next_cursor: string | null;
        };
        /**
         * OrderShown
         * @description A top-up: what is proven, what the person has, and why, in one sentence.
         */
        OrderShown: {
            /** @description A top-up order. */
            id: string;
            /** @description In a word; `message_zh` and `message_en` say it whole. */
            state: string;
            is_credited: boolean;
            message_zh: string;
            message_en: string;
            /** @description A person. */
            user_id: string;
            kind: string;
            /** @description Fen (分). */
            amount_fen: number;
            pay_state: string;
            credit_state: string;
            refund_state: string;
            /** @description RFC 3339, UTC, milliseconds. */
            created_at: string;
            /** @description RFC 3339, UTC, milliseconds. */
            expires_at: string;
            attempts: components["schemas"]["AttemptShown"][];
            /** @default 0 */
            coins?: number;
            /** @default 0 */
            bonus_coins?: number;
            /** @default  */
            plan_id?: string;
            /** @default  */
            scene?: string;
            /**
             * @description Fen (分).
             * @default 0
             */
            refunded_fen?: number;
            /** @description What could be asked back now; not told in lists. */
            refundable_fen?: number;
            /** @description A packet. */
            packet_id?: string;
            /** @description RFC 3339, UTC, milliseconds. */
            credited_at?: string;
            /** @description By when an advance has to be paid. */
            due_at?: string;
            /** @default false */
            will_be_reviewed?: boolean;
            /** @description What the pay sheet is opened with. */
            invocation?: {
                [key: string]: string;
            };
            sealed_invocation?: components["schemas"]["SealedInvocation"];
            hindrance?: components["schemas"]["Hindrance"];
            /** @default [] */
            offers?: components["schemas"]["OfferShown"][];
            /** @description The order by which the own wallet paid instead. */
            wallet_order_id?: string;
        };
        /**
         * PacketMade
         * @description A packet that was sent: what was promised of it before anybody opens it.
         */
        PacketMade: {
            /** @description A packet. */
            id: string;
            /** @description `open`, `awaiting` entropy, `held`, or `funding` until it is paid. */
            state: string;
            /** @description Fixes every share; see the packet's proof. */
            commitment: string;
            remaining_count: number;
            /** @description Fen (分). */
            total_fen: number;
            /** @description RFC 3339, UTC, milliseconds. */
            created_at: string;
            expires_at: string | null;
            /** @description RFC 3339, UTC, milliseconds. */
            opens_at?: string;
            /** @description A case. */
            case_id?: string;
            top_up?: components["schemas"]["OrderShown"];
        };
        /**
         * PacketShown
         * @description A packet, no more of it than the viewer may see.
         */
        PacketShown: {
            /** @description A packet. */
            id: string;
            state: string;
            kind: string;
            /** @description A person. */
            sender_id: string;
            sender_nickname: string;
            greeting: string;
            /** @description Empty for the ordinary one, and for one that is gone. */
            cover: string;
            commitment: string;
            /** @description RFC 3339, UTC, milliseconds. */
            created_at: string;
            expires_at: string | null;
            opened_count: number;
            /** @description Where the cover's picture stands, if it is one. */
            cover_image?: string;
            conversation_id?: string;
            /** @description RFC 3339, UTC, milliseconds. */
            draw_at?: string;
            /** @description RFC 3339, UTC, milliseconds. */
            opens_at?: string;
            recipients?: string[];
            count?: number;
            /** @description Fen (分). */
            total_fen?: number;
            remaining_count?: number;
            /** @description Fen (分). */
            remaining_fen?: number;
            /** @description Fen (分). */
            claimed_fen?: number;
            returned?: components["schemas"]["Returned"];
            best?: components["schemas"]["ClaimShown"];
            viewer?: components["schemas"]["ViewerShown"];
            /** @description Where the proof stands. */
            proof?: string;
        };
        /**
         * PasskeyShown
         * @description A passkey as its owner sees it.
         */
        PasskeyShown: {
            id: string;
            name: string;
            /** @description RFC 3339, UTC, milliseconds. */
            created_at: string;
            /** @description RFC 3339, UTC, milliseconds. */
            used_at?: string;
        };
        /**
         * Payer
         * @description Who pays, as the channel knows them.
         */
        Payer: {
            openid: string;
        };
        /**
         * PayoutShown
         * @description A payout and where it stands; while it is `waiting`, the person confirms at the channel.
         */
        PayoutShown: {
            /** @description A payout. */
            id: string;
            /** @description A person. */
            user_id: string;
            /** @description A channel account, by its setting. */
            account: string;
            /** @description Fen (分). */
            amount_fen: number;
            stage: string;
            /** @description RFC 3339, UTC, milliseconds. */
            created_at: string;
            /** @description RFC 3339, UTC, milliseconds. */
            release_at: string;
            /** @default  */
            fail_reason?: string;
            /** @default  */
            channel_no?: string;
            /** @description RFC 3339, UTC, milliseconds. */
            arrived_at?: string;
            confirmation?: {
                [key: string]: string;
            };
            sealed_confirmation?: components["schemas"]["SealedInvocation"];
            /** @description A case. */
            case_id?: string;
        };
        /**
         * PlanList
         * @description The price list.
         */
        PlanList: {
            plans: components["schemas"]["PlanShown"][];
        };
        /**
         * PlanShown
         * @description One line of the price list; bonus coins last `bonus_life_s`, 0 for ever.
         */
        PlanShown: {
            id: string;
            kind: string;
            name_zh: string;
            name_en: string;
            /** @description Fen (分). */
            amount_fen: number;
            coins: number;
            bonus_coins: number;
            bonus_life_s: number;
            scene: string;
        };
        /**
         * Problem
         * @description Why a request was refused (RFC 9457), in words for people and a code for programs.
         */
        Problem: {
            type: string;
            title: string;
            status: number;
            code: string;
            detail: string;
            message_zh: string;
            message_en: string;
            /** @description `never`, `same_key` or `new_key`. */
            retry: string;
            /**
             * @description The field that is wrong, or differs.
             * @default
             */
            field?: string;
            /**
             * @description The case that waits for a decision.
             * @default
             */
            case_id?: string;
            /**
             * @description What proves the payment: any one of these.
             * @default []
             */
            needs?: string[];
            /**
             * @description To be answered for a payment token.
             * @default
             */
            challenge?: string;
            /**
             * @description What is to be proven.
             * @default 0
             */
            amount_fen?: number;
            /** @description Wrong tries left before a lock. */
            tries_left?: number;
            /**
             * @description When the next try is taken.
             * @default
             */
            locked_until?: string;
        };
        /**
         * RealNameShown
         * @description What was verified, masked.
         */
        RealNameShown: {
            is_verified: boolean;
            account_class: number;
            /** @default [] */
            checks?: string[];
            /**
             * @description All but the last letter hidden.
             * @default
             */
            name?: string;
            /**
             * @description All but the first and the last digit hidden.
             * @default
             */
            id_number?: string;
            /** @description RFC 3339, UTC, milliseconds. */
            verified_at?: string;
        };
        /**
         * Receipt
         * @description What the claimer keeps, to be found again in the packet's proof.
         */
        Receipt: {
            ticket: number;
            pseudonym: string;
            chain: string;
        };
        /**
         * Returned
         * @description What nobody took: how much came back, where to, and when.
         */
        Returned: {
            /** @description Fen (分). */
            amount_fen: number;
            to: string;
            /** @description RFC 3339, UTC, milliseconds. */
            at: string;
        };
        /**
         * SealedInvocation
         * @description The sheet's parameters, sealed to the page's key (`Sealed-To`); bytes are base64url.
         *
         *         SM4-GCM under HKDF-SHA256 of ECDH, salt both keys, info `lingqian cashier v1`, bound to the id.
         */
        SealedInvocation: {
            key: string;
            nonce: string;
            text: string;
        };
        /**
         * SecurityShown
         * @description How a person's payments are guarded.
         */
        SecurityShown: {
            has_password: boolean;
            account_class: number;
            passkeys: components["schemas"]["PasskeyShown"][];
            /** @description RFC 3339, UTC, milliseconds. */
            password_set_at?: string;
            tries_left?: number;
            /** @description RFC 3339, UTC, milliseconds. */
            locked_until?: string;
            /** @description When the password ends, because a reset was asked for. */
            reset_at?: string;
        };
        /**
         * SessionList
         * @description A person's live sessions, the newest first.
         */
        SessionList: {
            sessions: components["schemas"]["SessionShown"][];
        };
        /**
         * SessionShown
         * @description A session as its owner sees it; times are real, whatever the sandbox's clock says.
         */
        SessionShown: {
            /** @description A person on a device. */
            id: string;
            /** @description A device of a person. */
            device_id: string;
            device_name: string;
            /** @description RFC 3339, UTC, milliseconds. */
            created_at: string;
            /** @description RFC 3339, UTC, milliseconds. */
            seen_at: string;
            is_this: boolean;
        };
        /**
         * Statement
         * @description A page of a statement, the newest first.
         */
        Statement: {
            lines: components["schemas"]["LineShown"][];
            next_cursor: string | null;
        };
        /**
         * Trail
         * @description A number's story, and why its money is, or is not, where it was meant to go.
         *
         *         `is_credited`: it is there; of an order, that the person has it. `order_id` is empty for what
         *         has none: a payout, a gift, a payment that no order takes.
         */
        Trail: {
            subject: string;
            entries: components["schemas"]["EntryShown"][];
            /** @default  */
            order_id?: string;
            /** @default  */
            state?: string;
            /** @default false */
            is_credited?: boolean;
            /** @default  */
            message_zh?: string;
            /** @default  */
            message_en?: string;
            /** @default [] */
            notices?: components["schemas"]["NoticeShown"][];
        };
        /**
         * UserShown
         * @description A person as the app that registered them sees them.
         */
        UserShown: {
            /** @description A person. */
            id: string;
            external_id: string;
            nickname: string;
            account_class: number;
            state: string;
            /** @description RFC 3339, UTC, milliseconds. */
            created_at: string;
        };
        /**
         * ViewerShown
         * @description What the packet is to this viewer, in words to show.
         */
        ViewerShown: {
            /** @description `openable`, `claimed`, `entered`, `not_won`, `finished`, `expired`, `invalidated`, `not_open`, `not_for_you`, `own` or `held`. */
            status: string;
            message_zh: string;
            message_en: string;
            /** @description Fen (分). */
            amount_fen?: number;
            index?: number;
            /**
             * @description The code by which opening it would be refused.
             * @default
             */
            code?: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type AttemptShown = components['schemas']['AttemptShown'];
export type BalanceShown = components['schemas']['BalanceShown'];
export type Balances = components['schemas']['Balances'];
export type ClaimList = components['schemas']['ClaimList'];
export type ClaimMade = components['schemas']['ClaimMade'];
export type ClaimShown = components['schemas']['ClaimShown'];
export type CoinsShown = components['schemas']['CoinsShown'];
export type CoverList = components['schemas']['CoverList'];
export type CoverShown = components['schemas']['CoverShown'];
export type Ending = components['schemas']['Ending'];
export type Entered = components['schemas']['Entered'];
export type EntryShown = components['schemas']['EntryShown'];
export type FactorCapShown = components['schemas']['FactorCapShown'];
export type FactorRuleShown = components['schemas']['FactorRuleShown'];
export type GiftRowShown = components['schemas']['GiftRowShown'];
export type GiftRows = components['schemas']['GiftRows'];
export type GiftShown = components['schemas']['GiftShown'];
export type Hindrance = components['schemas']['Hindrance'];
export type History = components['schemas']['History'];
export type LimitList = components['schemas']['LimitList'];
export type LimitShown = components['schemas']['LimitShown'];
export type LineShown = components['schemas']['LineShown'];
export type MovementShown = components['schemas']['MovementShown'];
export type NewPacket = components['schemas']['NewPacket'];
export type NewTopUp = components['schemas']['NewTopUp'];
export type NoticeShown = components['schemas']['NoticeShown'];
export type OfferShown = components['schemas']['OfferShown'];
export type OrderList = components['schemas']['OrderList'];
export type OrderShown = components['schemas']['OrderShown'];
export type PacketMade = components['schemas']['PacketMade'];
export type PacketShown = components['schemas']['PacketShown'];
export type PasskeyShown = components['schemas']['PasskeyShown'];
export type Payer = components['schemas']['Payer'];
export type PayoutShown = components['schemas']['PayoutShown'];
export type PlanList = components['schemas']['PlanList'];
export type PlanShown = components['schemas']['PlanShown'];
export type Problem = components['schemas']['Problem'];
export type RealNameShown = components['schemas']['RealNameShown'];
export type Receipt = components['schemas']['Receipt'];
export type Returned = components['schemas']['Returned'];
export type SealedInvocation = components['schemas']['SealedInvocation'];
export type SecurityShown = components['schemas']['SecurityShown'];
export type SessionList = components['schemas']['SessionList'];
export type SessionShown = components['schemas']['SessionShown'];
export type Statement = components['schemas']['Statement'];
export type Trail = components['schemas']['Trail'];
export type UserShown = components['schemas']['UserShown'];
export type ViewerShown = components['schemas']['ViewerShown'];
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
